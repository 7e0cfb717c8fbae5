"""How a detached operation stands: {"state", "program", "launched_at", …}, and its verdict when it has finished.

The state is running, finished, vanished (it left no verdict), interrupted (by a reboot) or unknown-id. Waits for its
end for `wait_seconds` at most.
"""

from maintainer.node import operations, state
from maintainer.node.envelope import mapping, number

_TOLD = ("started_at", "ended_at", "ok", "answer", "error")


def run(request, policy, deadline):
    mapping(request, "request", ("id",), ("wait_seconds",))
    key = operations.check_id(request["id"])
    seconds = number(request.get("wait_seconds", 0), "request.wait_seconds", 0, 60)
    path = state.folder(policy)
    found, result = operations.wait(path, key, min(seconds, deadline.left()))
    launched = operations.launch_of(path, key)
    answer = {
        "state": found,
        "program": launched["asked"]["program"] if launched else None,
        "launched_at": launched["launched_at"] if launched else None,
    }
    return dict(answer, **{what: (result or {}).get(what) for what in _TOLD})
