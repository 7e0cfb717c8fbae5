"""How systemd is asked to restart a unit, and what becomes of it when systemd's bus dies meanwhile.

A script stands in for systemctl: the outside world's program, which behaves as the files beside it say.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.contract.node.daemons import carry_out, daemons, launch, serves, until, verdict
from tests.contract.node.own_node import OwnNode

# Each unit has a folder. `state` and `pid` are what `show` tells; `VERB.once` is what the next such command does first.
_SYSTEMCTL = """#!/bin/sh
cd "$(dirname "$0")"
verb=$1
for unit; do :; done
[ -d "$unit" ] || { echo "Unit $unit not found."; exit 5; }
begin() { sleep 600 >/dev/null 2>&1 & echo $! > "$unit/pid"; echo $! >> started; echo active > "$unit/state"; }
end() { kill "$(cat "$unit/pid")" 2>/dev/null; echo 0 > "$unit/pid"; echo inactive > "$unit/state"; }
if [ "$verb" != show ]; then echo "$verb $unit" >> called; fi
if [ -e "$unit/$verb.once" ]; then mv "$unit/$verb.once" now; . ./now; fi
[ "$verb" != show ] && [ -e "$unit/down" ] && { echo "Transaction for $unit/$verb is destructive"; exit 1; }
[ -e dead ] && { echo "Failed to get properties: Connection reset by peer"; exit 1; }
case $verb in
show) printf '%s\\n' LoadState=loaded "ActiveState=$(cat "$unit/state")" SubState=x "MainPID=$(cat "$unit/pid")" ;;
start) [ "$(cat "$unit/state")" = active ] || begin ;;
stop) end ;;
restart) end; begin ;;
esac
"""
ARCHIVE = "orthanc.service"
TERMINATED = "echo 'D-Bus connection terminated while waiting for jobs.'; exit 1\n"


@pytest.fixture
def node(own_node: OwnNode) -> Iterator[OwnNode]:
    """A node with two units that run."""
    folder = own_node.base / "bin"
    folder.mkdir()
    (folder / "systemctl").write_text(_SYSTEMCTL)
    (folder / "systemctl").chmod(0o755)
    own_node.how["env"] = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    for name, unit in (("database", "postgresql.service"), ("archive", ARCHIVE)):
        (folder / unit).mkdir()
        (folder / unit / "state").write_text("inactive\n")
        (folder / unit / "pid").write_text("0\n")
        own_node.policy["services"][name] = {"unit": unit, "timeout_seconds": 3}
    assert carry_out(own_node, start=("database", "archive"))["ok"] is True
    (folder / "called").unlink()
    try:
        yield own_node
    finally:
        for line in (folder / "started").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(line), signal.SIGKILL)


def once(node: OwnNode, verb: str, does: str) -> None:
    (node.base / "bin" / ARCHIVE / f"{verb}.once").write_text(does)


def called(node: OwnNode) -> list[str]:
    return [line.replace(".service", "") for line in (node.base / "bin" / "called").read_text().splitlines()]


def state(node: OwnNode) -> str:
    return (node.base / "bin" / ARCHIVE / "state").read_text().strip()


def test_one_unit_is_restarted_in_one_transaction(node: OwnNode) -> None:
    """Which goes on in systemd itself, whatever becomes of whoever asked for it."""
    told = carry_out(node, restart=("archive",))["answer"]["services"]["archive"]
    assert called(node) == ["restart orthanc"]
    assert (told["did"], told["down_seconds"] > 0) == ("restarted", True)


def test_of_several_units_the_last_to_go_down_is(node: OwnNode) -> None:
    """Dependents stop before it and start after it."""
    assert carry_out(node, restart=("database", "archive"))["ok"] is True
    assert called(node) == ["stop orthanc", "restart postgresql", "start orthanc"]


def test_a_unit_that_does_not_start_has_failed_at_once(node: OwnNode) -> None:
    """Systemd's own word that its job failed is a verdict."""
    once(node, "restart", "end; echo failed > $unit/state; echo 'Job for orthanc.service failed.'; exit 1\n")
    ended = carry_out(node, restart=("archive",))
    assert ended["error"]["what"] == "archive: the restart command ended with 1: Job for orthanc.service failed."
    assert called(node) == ["restart orthanc"]


def test_a_bus_that_dies_under_a_restart_is_waited_for(node: OwnNode) -> None:
    """The job goes on without us: its state tells how it ended, and it is not asked for again."""
    goes_on = "(end; sleep 1; begin; rm dead) >/dev/null 2>&1 &\n"
    once(node, "restart", f"touch dead; {goes_on}{TERMINATED}")
    ended = carry_out(node, restart=("archive",))
    assert (ended["ok"], called(node)) == (True, ["restart orthanc"]), ended


def test_what_was_lost_with_the_bus_is_asked_for_again(node: OwnNode) -> None:
    """It never reached systemd: the same process still runs."""
    once(node, "restart", TERMINATED)
    ended = carry_out(node, restart=("archive",))
    assert (ended["ok"], called(node)) == (True, ["restart orthanc"] * 2), ended


def test_a_bus_that_stays_dead_leaves_no_verdict(node: OwnNode) -> None:
    """Nobody can say how it ended, so nobody says that it failed."""
    once(node, "restart", f"touch dead; {TERMINATED}")
    assert carry_out(node, restart=("archive",), seconds=15)["state"] == "vanished"


def test_a_bus_that_stays_dead_keeps_no_other_service_from_being_started(node: OwnNode) -> None:
    """What needs no systemd to start is started all the same: the patient may be served by it."""
    with daemons(node, "router"):
        once(node, "stop", f"touch dead; end; {TERMINATED}")
        key = launch(node, restart=("database", "archive"), start=("router",), seconds=20)
        assert verdict(node, key)["state"] == "vanished"
        assert serves(node, "router")


@pytest.mark.fault(23)
def test_fault_23_a_machine_that_goes_down_leaves_no_verdict(node: OwnNode) -> None:
    """A person reboots in mid-step: systemd drops our job and takes no new one, and that is no failed restart."""
    once(node, "restart", "end; touch $unit/down; echo 'Job for orthanc.service canceled.'; exit 1\n")
    key = launch(node, restart=("archive",), seconds=15)
    until(lambda: state(node) == "inactive")
    assert verdict(node, key)["state"] == "vanished"
