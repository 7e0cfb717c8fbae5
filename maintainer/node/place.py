"""Where a prepared node keeps the program's policy, and whose it must be; and what the program remembers.

Fixed when the program is built: neither a request nor the environment can name another place.
"""

POLICY = "/etc/maintainer/policy.json"
OWNER = 0
STATE = "/var/lib/maintainer-node"
