"""`maintainer` and `python -m maintainer` start here."""

import sys


def main() -> None:
    from maintainer.cli import root  # noqa: PLC0415 (one place decides what starting up costs)

    sys.exit(root.start())


if __name__ == "__main__":
    main()
