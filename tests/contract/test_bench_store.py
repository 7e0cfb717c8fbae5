"""The store that benchmarks measure on: the node's program takes what they tell it, and reads it."""

from bench.node_store import ct_slices, node_store


def test_a_benchmarks_store_is_learnt_and_read() -> None:
    """All of it, from the page cache or not; it would say so if an image were left out, or deviated."""
    with node_store(ct_slices(16, 16), 3) as store:
        store.learn()
        assert store.read(1) > 0
        store.prepare(cached=False)
        assert store.read(2) > 0
        assert store.bytes == sum(path.stat().st_size for path in store.paths)
