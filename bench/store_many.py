"""How many small images a second a node's own program verifies: what a file costs beside its bytes.

python -m bench.store_many [IMAGES]
"""

import sys
from collections.abc import Iterator

from bench.node_store import ct_slices, node_store
from bench.table import Row

IMAGES, EDGE = 100_000, 98  # pixels, for 20 kB
THREADS = 2
"""More than there are processors hinder each other, as there is little to hash."""
FILES_A_SECOND = 6_000.0


def rows(images: int = IMAGES) -> Iterator[Row]:
    with node_store(ct_slices(EDGE, EDGE), images) as store:
        store.learn()
        for words, cached in (("first reading", True), ("cached", True), ("cold", False)):
            store.prepare(cached=cached)
            rate = len(store.paths) / store.read(THREADS)
            name, target = f"store: {images:,} of 20 kB, {words}", f"at least {FILES_A_SECOND:,.0f} files/s"
            yield Row(name, f"{rate:,.0f} files/s", "", None, target, rate >= FILES_A_SECOND)


if __name__ == "__main__":
    for row in rows(int(sys.argv[1]) if sys.argv[1:] else IMAGES):
        print(row)
