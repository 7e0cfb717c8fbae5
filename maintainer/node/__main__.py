"""Entry point of the zipapp on a prepared node: `python3 -I -S -B node.pyz < request > answer`."""

import sys

from maintainer.node.entry import main_operation, main_prepared

if sys.argv[1:2] == ["operation"]:
    main_operation(sys.argv[2])
else:
    main_prepared()
