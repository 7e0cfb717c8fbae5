"""`maintainer` and `python -m maintainer` start here."""

import sys

from maintainer.cli.root import start


def main() -> None:
    sys.exit(start())


if __name__ == "__main__":
    main()
