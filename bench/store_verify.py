"""How fast a node's own program verifies images, beside what only reads and hashes them, and what else one would use.

    python -m bench.store_verify [SLICES]

The program reads CT slices into its ledger: digest, structure, what deviates, and what it will be asked tomorrow. In
the first reading every object's structure is walked, in later ones that of content which is new. Cached files lie in
the page cache for both sides; cold ones are read from the disk by both.
"""

import os
import sys
from collections.abc import Iterator

from bench.node_store import NodeStore, ct_slices, node_store
from bench.store_peers import Peer, bare_threads, dcmftest_and_sha256sum, has, pydicom_threads, sha256sum
from bench.table import Row, not_measured, times_faster

SLICES, EDGE = 4_000, 512
PROCESSORS = os.cpu_count() or 1
"""Ours reads with a thread for each."""
ROUNDS, OF_OTHERS = 7, 2
OF_BARE = 0.9
"""Part of the rate of threads that only read and hash."""
PEERS: dict[str, tuple[Peer, float, str]] = {
    "sha256sum, xargs -P2": (sha256sum, 3.0, "sha256sum"),
    "dcmftest, then sha256sum": (dcmftest_and_sha256sum, 2.0, "dcmftest"),
    "pydicom and hashlib": (pydicom_threads, 4.0, "python3"),
}
"""Whom to compare with, how many times faster to be, and the program that it takes."""


def rows(slices: int = SLICES) -> Iterator[Row]:
    with node_store(ct_slices(EDGE, EDGE), slices) as store:
        for words, cached in (("cached", True), ("cold", False)):
            yield _beside_bare(store, f"first reading, {words}", cached=cached, first=True)
            yield _beside_bare(store, words, cached=cached)
            yield from _beside_peers(store, words, cached=cached)


def _beside_bare(store: NodeStore, words: str, *, cached: bool, first: bool = False) -> Row:
    bests = _bests(store, bare_threads, ROUNDS, cached=cached, first=first)
    ours, bare = (store.bytes / 1e6 / best for best in bests)
    name, target = f"store: CT slices, {words}", f"at least {OF_BARE:g} x its rate"
    return Row(name, f"{ours:.0f} MB/s", f"bare hashlib {bare:.0f} MB/s", ours / bare, target, ours >= OF_BARE * bare)


def _beside_peers(store: NodeStore, words: str, *, cached: bool) -> Iterator[Row]:
    name = f"store: CT slices, {words}"
    for peer_name, (peer, at_least, program) in PEERS.items():
        if has(program):
            ours, theirs = _bests(store, peer, OF_OTHERS, cached=cached)
            yield times_faster(name, ours, peer_name, theirs, at_least=at_least)
        else:
            yield not_measured(name, f"{program} is not installed")


def _bests(store: NodeStore, peer: Peer, rounds: int, *, cached: bool, first: bool = False) -> tuple[float, float]:
    """Give the best of either, measured in turn: what else the machine does makes each slower, and neither faster."""
    ours, theirs = [], []
    for _ in range(rounds):
        if first:
            store.learn()
        store.prepare(cached=cached)
        ours.append(store.read(PROCESSORS))
        store.prepare(cached=cached)
        theirs.append(peer(store.paths))
    return min(ours), min(theirs)


if __name__ == "__main__":
    for row in rows(int(sys.argv[1]) if sys.argv[1:] else SLICES):
        print(row)
