"""Several nodes in one night: members of a group are never out of service together, and trouble stays where it is."""

from pathlib import Path

import pytest

from maintainer.errors import ActionFailed, Exit
from maintainer.model.action import RestartServices
from maintainer.model.outcome import NotRun, Reason
from maintainer.model.plan import Unseen
from tests.fakes.fake_fleet import NOW, FakeFleet, FakeNode
from tests.unit.engine_bench import OLD, Night, endings, raising


def test_a_partner_that_does_not_serve_forbids_the_outage(tmp_path: Path) -> None:
    """A member of a group is not restarted while no other member serves."""
    fleet = FakeFleet({"pacs-a": FakeNode(archive_started=OLD), "pacs-b": FakeNode(hung=True)})
    night = Night(state=tmp_path, fleet=fleet, tasks=["service-restart"], groups={"g": ["pacs-a", "pacs-b"]})
    report = night.run()
    first = report.tasks[0].steps[0].ending
    assert isinstance(first, NotRun)
    assert first.reason is Reason.PARTNER_NOT_SERVING
    assert fleet.nodes["pacs-a"].performed == []
    assert not fleet.nodes["pacs-b"].hung, "the hung partner itself is brought back: that takes nothing away"


@pytest.mark.fault(25)
def test_after_a_member_that_may_be_down_its_partners_are_left_alone(tmp_path: Path) -> None:
    """A restart that ends badly freezes the rest of its group for the night, and no other group."""
    broken = FakeNode(archive_started=OLD, trouble=raising(ActionFailed("exit 1"), on=RestartServices))
    fleet = FakeFleet({"a1": broken, "a2": FakeNode(archive_started=OLD), "b1": FakeNode(archive_started=OLD)})
    night = Night(state=tmp_path, fleet=fleet, tasks=["service-restart"], groups={"a": ["a1", "a2"]})
    night.run()
    assert fleet.nodes["a2"].performed == []
    assert fleet.nodes["b1"].archive_started == NOW


def test_members_of_a_group_are_never_worked_on_together(tmp_path: Path) -> None:
    """Two members share a lane; a third node may be worked on beside them."""
    fleet = FakeFleet({name: FakeNode(old_files=1) for name in ("a1", "a2", "b1")})
    Night(state=tmp_path, fleet=fleet, tasks=["disk-cleanup"], groups={"a": ["a1", "a2"]}).run()
    assert all(not {"a1", "a2"} <= together for together in fleet.together)
    assert {name for together in fleet.together for name in together} == {"a1", "a2", "b1"}


def test_one_nodes_silence_is_its_own(tmp_path: Path) -> None:
    """A node that cannot be reached is unseen; the others are worked on as usual."""
    fleet = FakeFleet({"a": FakeNode(reachable=False, old_files=1), "b": FakeNode(old_files=1)})
    report = Night(state=tmp_path, fleet=fleet, tasks=["disk-cleanup"]).run()
    assert isinstance(report.tasks[0].answer, Unseen)
    assert fleet.nodes["b"].old_files == 0
    assert report.exit() is Exit.UNKNOWN


def test_our_own_mistake_on_one_node_stays_there(tmp_path: Path) -> None:
    """An exception that nobody foresaw is recorded as unknown where it happened, and other nodes go on."""
    bad = FakeNode(old_files=1, trouble=raising(ZeroDivisionError(), on=object))
    fleet = FakeFleet({"a": bad, "b": FakeNode(old_files=1)})
    night = Night(state=tmp_path, fleet=fleet, tasks=["disk-cleanup"])
    report = night.run()
    assert endings(report)[0][1] == "unknown"
    assert fleet.nodes["b"].old_files == 0
    with night.log() as log:
        assert [intent.node for intent in log.open_intents()] == ["a"]
