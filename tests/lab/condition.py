"""What condition a node is in, so that no test hands one on that is not as it was; and putting it right.

A condition is a set of lines in plain words. What differs from the condition that the node was in when it was loaded
is what a test has left.
"""

import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from tests.lab.breakages import SPOOL, STORE
from tests.lab.guard import STATE
from tests.lab.image import LabError
from tests.lab.images import CANARY
from tests.lab.node import LabNode

PREPARED_STATE = "/var/lib/maintainer-node"
SETTLES_WITHIN = 5.0  # seconds; for what is just ending by itself

Condition = frozenset[str]

_LOOK = Path(__file__).with_name("condition.sh").read_text("utf-8")
# What a night may leave: what the node remembers of it, unprepared, and the quarantine of its spool.
_TIDY = f"rm -rf {STATE}; find {SPOOL} -mindepth 1 -delete"
_AS_FILE = "file: %p, %s bytes, %m\\n"
_LOOK_AT_NETWORK = """
iptables -w -S
tc qdisc show dev host0 | cut -d' ' -f1-3
ip -4 -o address show dev host0 | tr -s ' '
"""


class Difference(NamedTuple):
    """What there is now and was not when the node was loaded, and what there was and is no more."""

    added: Condition
    gone: Condition

    def __bool__(self) -> bool:
        return bool(self.added or self.gone)

    def __str__(self) -> str:
        return f"now {_some(self.added)}; before {_some(self.gone)}"


def condition(node: LabNode) -> Condition:
    """Tidy up after a night, then look at everything that a test may change on a node and must not leave changed."""
    hangs = any(freezer.read_text() != "0\n" for freezer in node.freezers())
    files = node.room.do("find", f"{node.root}/etc", f"{node.root}/root", "-type", "f", "-printf", _AS_FILE)
    network = node.on_its_network("sh", "-c", _LOOK_AT_NETWORK)
    inside = "it hangs\n" if hangs else _seen_inside(node)
    answers = "" if node.answers_echo() else "not "
    lines = f"{inside}{files.replace(str(node.root), '')}{network}does {answers}answer a C-ECHO"
    return frozenset(lines.splitlines())


def _seen_inside(node: LabNode) -> str:
    script = ("sh", "-c", f"{_TIDY}\n{_LOOK}", "condition", STORE, PREPARED_STATE, CANARY)
    try:
        return node.run(*script, check=False).stdout
    except (LabError, OSError, subprocess.TimeoutExpired) as error:
        return f"{type(error).__name__} when it is looked at\n"


def difference(node: LabNode, loaded: Condition) -> Difference:
    """Say what is not as it was when the node was loaded, once nothing ends by itself any more."""
    until = time.monotonic() + SETTLES_WITHIN
    while (now := condition(node)) != loaded and time.monotonic() < until:
        time.sleep(0.2)
    return Difference(now - loaded, loaded - now)


def mend(node: LabNode, added: Condition) -> None:
    """Cut the power, give the node another network, take from its disk the files that were put there, and boot it.

    Raises:
        LabError: it does not serve again.
    """
    node.power_off()
    node.disconnect()
    node.connect()
    files = [line.partition(": ")[2].partition(", ")[0] for line in added if line.startswith("file: ")]
    node.erase(*files, STATE, f"{PREPARED_STATE}/lease.json", f"{PREPARED_STATE}/operations")
    node.power_on()
    node.wait_until_it_serves()


def _some(lines: Condition) -> str:
    most = 4
    more = f" and {len(lines) - most} more" if len(lines) > most else ""
    return f"{', '.join(sorted(lines)[:most]) or 'nothing'}{more}"
