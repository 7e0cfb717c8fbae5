"""How a detached operation stands: {"state", "program", "launched_at", …}, and its verdict when it has finished.

The state is running, finished, vanished (it left no verdict), interrupted (by a reboot) or unknown-id. Waits for its
end for `wait_seconds` at most.
"""

from maintainer.node import operations, state
from maintainer.node.envelope import mapping, number


def run(request, policy, deadline):
    mapping(request, "request", ("id",), ("wait_seconds",))
    key = operations.check_id(request["id"])
    seconds = number(request.get("wait_seconds", 0), "request.wait_seconds", 0, 60)
    return operations.told(state.folder(policy), key, min(seconds, deadline.left()))
