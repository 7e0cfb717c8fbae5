"""`maintainer` and `python -m maintainer` start here."""

import gc
import sys

from maintainer.cli.root import start

FEW_COLLECTIONS = 200_000
"""After so many new objects cycles are looked for: more than are imported, and next to none of ours have any."""


def main() -> None:
    gc.set_threshold(FEW_COLLECTIONS)
    sys.exit(start())


if __name__ == "__main__":
    main()
