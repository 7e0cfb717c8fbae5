"""Entry point of the zipapp on a prepared node: `python3 -I -S -B node.pyz < request > answer`."""

from maintainer.node.entry import main_prepared

main_prepared()
