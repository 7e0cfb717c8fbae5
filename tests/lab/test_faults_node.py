"""Faults of a real node while the agent works on it, through the whole product."""

import pytest

from tests.e2e.driver import Answer, endings
from tests.lab.guard import STATE, Night
from tests.lab.slowness import slow_stop, that_does_not_start
from tests.lab.workstations import Watch

pytestmark = pytest.mark.timeout(600, func_only=True)

RESTART = ("run", "--now", "--task", "service-restart", "--node", "pacs-a", "--json")
RESTARTED = "restart database, archive"


def ending(answer: Answer, title: str) -> dict[str, object]:
    """How the first step of this title ended."""
    found: dict[str, object] = next(
        done["ending"] for task in answer.document["tasks"] for done in task["steps"] if done["step"]["title"] == title
    )
    return found


@pytest.mark.fault(22)
def test_fault_22_an_operation_that_was_killed_is_unknown(night: Night) -> None:
    """No verdict, so it is unknown, never done and never failed; what was left stopped is started by the run."""
    with slow_stop(night.a) as stop:
        with night.running(*RESTART) as answers:
            stop.await_begin()
            _, supervisor = stop.operation()
            night.a.run("sh", "-c", f"workers=$(pgrep -P {supervisor}); kill -9 {supervisor} $workers")
            stop.let_go()
        assert ending(answers[0], RESTARTED)["ending"] == "unknown"
        assert ending(answers[0], "start archive")["ending"] == "done"
        assert answers[0].code == 3
    night.a.wait_until_it_serves()


@pytest.mark.fault(25)
def test_fault_25_a_service_that_does_not_come_back_freezes_its_group(night: Night) -> None:
    """The start fails: an alert, the partner serves on and is not touched, until a person thaws the group."""
    with that_does_not_start(night.a):
        answer = night.do(*RESTART)
        assert ending(answer, RESTARTED)["ending"] == "failed"
        causes = [found["cause"] for task in answer.document["tasks"] for found in task["answer"]["findings"]]
        assert "group-frozen" in causes
        refused = night.do("run", "--now", "--task", "service-restart", "--json")
        assert {task["answer"]["kind"] for task in refused.document["tasks"]} == {"refuse"}
        assert (refused.code, endings(refused.document)) == (4, [])
    assert night.do("group", "thaw", "archive", "--why", "its start was mended").code == 0
    assert night.do("run", "--json").code == 0
    assert {record["node"] for record in night.controller.records() if record["kind"] == "intent"} == {"pacs-a"}


@pytest.mark.fault(23)
def test_fault_23_a_reboot_in_mid_step_is_told_by_the_boot(night: Night) -> None:
    """The plug is pulled while the archive is told to stop: interrupted, and not repeated, although it serves again."""
    with slow_stop(night.a) as stop:
        with night.running(*RESTART) as answers:
            stop.await_begin()
            night.a.power_off()
            night.a.power_on()
        ended = ending(answers[0], RESTARTED)
        assert ended["ending"] == "unknown", ended
        assert "interrupted by a reboot of the node" in str(ended)
        night.a.wait_until_it_serves()
        assert stop.begun() == 0, "in this boot it was not told to stop"
    night.do("group", "thaw", "archive", "--why", "it serves again")
    settled = night.do("run", "--task", "disk-cleanup", "--json").document["settled"]
    assert [one["ending"] for one in settled] == ["done"], "it has been restarted since, by the reboot"
    assert stop.begun() == 0


@pytest.mark.fault(24)
def test_fault_24_a_full_disk_under_the_step_leaves_it_unknown(night: Night) -> None:
    """The node cannot keep the verdict: unknown. While it is full nothing more is begun there, and that is said."""
    night.a.run("sh", "-ec", f"mkdir -p -m 700 {STATE}; mount -t tmpfs -o size=64k,mode=700 full {STATE}")
    try:
        with slow_stop(night.a) as stop, night.running(*RESTART) as answers:
            stop.await_begin()
            night.a.run("sh", "-c", f"dd if=/dev/zero of={STATE}/filler bs=512; true")
            stop.let_go()
        assert ending(answers[0], RESTARTED)["ending"] == "unknown"
        night.do("group", "thaw", "archive", "--why", "to see what a full disk allows")
        refused = night.do("run", "--task", "disk-cleanup", "--node", "pacs-a", "--json")
        assert endings(refused.document) == []
        assert "No space left" in refused.stdout
    finally:
        night.a.run("umount", "-l", STATE)
        night.a.run("systemctl", "start", "orthanc.service")


@pytest.mark.fault(26)
@pytest.mark.both_down("the test stops the partner")
def test_fault_26_a_partner_that_dies_after_the_stop_is_an_alert(night: Night) -> None:
    """The restart goes to its end all the same; the loss of the one that served meanwhile is critical."""
    with slow_stop(night.a) as stop, night.running(*RESTART) as answers:
        stop.await_begin()
        night.b.run("systemctl", "stop", "orthanc.service")
        stop.let_go()
    night.b.run("systemctl", "start", "orthanc.service")
    assert {how for *_, how in endings(answers[0].document)} == {"done"}
    found = [found for task in answers[0].document["tasks"] for found in task["answer"]["findings"]]
    assert [(one["cause"], one["severity"], one["subject"]) for one in found] == [
        ("partner-lost", "critical", "pacs-b")
    ]


@pytest.mark.fault(28)
def test_fault_28_one_machine_under_two_names_is_not_its_own_partner(night: Night, watch: Watch) -> None:
    """`check` says it; and while the node is its own partner, nobody would serve: it is not taken down."""
    night.a.on_its_network("ip", "addr", "add", "10.20.0.13/24", "dev", "host0")
    try:
        text = night.controller.inventory.read_text()
        keys = [line.partition("host_key")[2] for line in text.splitlines() if "host_key" in line]
        text = text.replace(keys[1], keys[0]).replace(f'"{night.b.address}"', '"10.20.0.13"')
        night.controller.inventory.write_text(text)
        rows = night.do("check", "--json").document["nodes"]
        assert [(row["node"], row["verdict"]) for row in rows if row["what"] == "machine"] == [("pacs-b", "wrong")]
        answer = night.do(*RESTART)
        assert {how for *_, how in endings(answer.document)} == {"not-run"}
        assert watch.outages()["pacs-a"] == []
    finally:
        night.a.on_its_network("ip", "addr", "del", "10.20.0.13/24", "dev", "host0")


def test_a_reboot_that_was_asked_for_leaves_the_partner_serving(night: Night) -> None:
    """Drained, rebooted, proven by another boot id; the partner answers at every one of ten looks a second."""
    before = night.a.boot_id()
    answer = night.do("run", "--now", "--task", "node-reboot", "--node", "pacs-a", "--json")
    assert {how for *_, how in endings(answer.document)} == {"done"}
    assert night.a.boot_id() not in {before, ""}
    assert answer.document["tasks"][0]["steps"][-1]["ending"]["measured"]["outage_seconds"] > 0
    again = night.do("run", "--task", "node-reboot", "--node", "pacs-a", "--json")
    assert endings(again.document) == []
