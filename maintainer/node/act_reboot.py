"""Reboot this node a moment after the answer has been given: {"boot_id"} of the boot that ends.

The timer is systemd's, so that it outlives this process and the connection that carries its answer. It has a name, so
that there is never a second one.
"""

from maintainer.node import commands, services
from maintainer.node.envelope import Failed, Refused, mapping

_SOON = (
    *("systemd-run", "--unit=maintainer-reboot", "--on-active=2", "--timer-property=AccuracySec=100ms"),
    *("systemctl", "reboot", "--no-ask-password"),
)
_SECONDS = 20


def run(request, policy, deadline):
    mapping(request, "request", ("boot_id",))
    if not policy.may_reboot:
        raise Refused("this node may not be rebooted", "write reboot = true in [nodes.NAME] if it may")
    if request["boot_id"] != boot_id():
        raise Refused("the node was rebooted since it was looked at", "look again")
    result = commands.run(_SOON, min(_SECONDS, deadline.left()), environment=services.systemctl_environment())
    if result.status != 0:
        said = result.output or "status {}".format(result.status)
        raise Failed(
            "the reboot could not be asked for: " + said, "see whether sudo = true is needed in its ssh section"
        )
    return {"boot_id": request["boot_id"]}


def boot_id():
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.readline(64).strip()
