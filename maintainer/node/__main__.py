"""Entry point of the zipapp on a prepared node: `python3 -I -S maintainer-node.pyz < request > answer`."""

from maintainer.node.entry import main

main()
