"""Where a prepared node keeps the program's policy, and whose it must be.

Fixed when the program is built: neither a request nor the environment can name another place.
"""

POLICY = "/etc/maintainer/policy.json"
OWNER = 0
