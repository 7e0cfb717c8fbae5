"""Where a prepared node keeps what is the node's own."""

PROGRAM = "/usr/local/lib/maintainer/node.pyz"
PYTHON = "/usr/bin/python3"
COMMAND = f"{PYTHON} -I -S -B {PROGRAM}"
"""How it is started, argument for argument: by the forced command, and by the one sudo rule."""
POLICY = "/etc/maintainer/policy.json"
POLICY_FORMAT = "maintainer.policy/1"
