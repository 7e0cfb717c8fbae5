"""`maintainer` and `python -m maintainer` start here."""

import gc
import sys

from maintainer.cli.root import start

FEW_COLLECTIONS = 50_000
"""After so many new objects cycles are looked for. Next to none of ours have any, and most are what was imported."""


def main() -> None:
    gc.set_threshold(FEW_COLLECTIONS)
    sys.exit(start())


if __name__ == "__main__":
    main()
