"""What nobody saw the end of is neither done nor failed, and is looked at before anything new."""

from pathlib import Path

import pytest

from maintainer.errors import Exit, LinkLost
from maintainer.intervention_log.record import Kind
from maintainer.model.action import Action, ProveService, RestartServices, Sql
from tests.fakes.fake_fleet import FakeNode
from tests.unit.engine_bench import OLD, endings, one_node, raising


def test_a_second_look_that_is_refused_does_not_tell(tmp_path: Path) -> None:
    """When the task refuses to judge after its step, the step is not called done: the next run looks first."""

    def dies_after_the_proof(node: FakeNode) -> None:
        proven = any(isinstance(action, ProveService) for action in node.performed)
        node.database_up, node.hung = not proven, proven

    node = FakeNode(archive_started=OLD, when_looked_at=dies_after_the_proof)
    report = one_node(tmp_path, node, tasks=["service-restart"]).run()
    assert endings(report)[-1] == ("prove that the node serves", "unknown")
    assert report.exit() is Exit.UNKNOWN


@pytest.mark.fault(12)
def test_a_lost_link_is_unknown_and_ends_the_nodes_night(tmp_path: Path) -> None:
    """A link that breaks in mid-step is never called failed, and nothing more is tried on that node."""
    node = FakeNode(dead_rows={"t": 50}, old_files=2, trouble=raising(LinkLost("the link broke"), on=Sql))
    night = one_node(tmp_path, node, tasks=["db-vacuum", "disk-cleanup"])
    report = night.run()
    assert endings(report) == [('vacuum "public"."t"', "unknown")]
    assert report.tasks[1].answer.kind == "refuse"
    assert report.exit() is Exit.UNKNOWN
    assert node.old_files == 2


@pytest.mark.fault(12)
def test_the_next_run_settles_what_was_unknown_first(tmp_path: Path) -> None:
    """An unknown step is looked at again before anything new: done when it is no longer due, failed when it is."""
    node = FakeNode(dead_rows={"t": 50}, trouble=raising(LinkLost("the link broke"), on=Sql))
    night = one_node(tmp_path, node, tasks=["db-vacuum"])
    night.run()
    node.trouble = lambda _action: None
    report = night.run(run="r2")
    assert [one.ending for one in report.settled] == ["failed"]
    assert endings(report) == [('vacuum "public"."t"', "done")]
    kinds = [record.kind for record in night.records() if record.run == "r2"]
    assert kinds.index(Kind.RECONCILED) < kinds.index(Kind.INTENT)


def test_what_another_task_left_open_is_settled_by_a_run_that_leaves_that_task_out(tmp_path: Path) -> None:
    """A run of one task alone still looks at what others left open on its nodes, with their own eyes."""
    node = FakeNode(dead_rows={"t": 50}, trouble=raising(LinkLost("the link broke"), on=Sql))
    night = one_node(tmp_path, node, tasks=["db-vacuum"])
    night.run()
    node.trouble, known = lambda _action: None, night.assignments
    report = one_node(tmp_path, node, tasks=["disk-cleanup"], known=known).run(run="r2")
    assert [(one.task, one.ending) for one in report.settled] == [("db-vacuum", "failed")]


def test_what_cannot_be_settled_keeps_the_agent_off_the_node(tmp_path: Path) -> None:
    """A node that cannot be looked at after an unknown step gets no new one."""
    node = FakeNode(dead_rows={"t": 50}, trouble=raising(LinkLost("the link broke"), on=Sql))
    night = one_node(tmp_path, node, tasks=["db-vacuum"])
    night.run()
    node.database_up, node.trouble = False, lambda _action: None
    report = night.run(run="r2")
    assert [one.ending for one in report.settled] == ["unknown"]
    assert report.tasks[0].answer.kind == "refuse"
    assert node.performed == []


def test_a_restart_whose_verdict_was_lost_is_settled_by_looking(tmp_path: Path) -> None:
    """The link is gone for good: the next run finds the node's verdict, or a young service, or starts a stopped one."""
    node = FakeNode(archive_started=OLD)
    night = one_node(tmp_path, node, tasks=["service-restart"])

    def cut(action: Action) -> None:
        if isinstance(action, RestartServices):
            node.archive, node.reachable = "stopped", False
            raise LinkLost("the link broke")

    node.trouble = cut
    assert endings(night.run())[1:] == [("restart archive", "unknown"), ("prove that the node serves", "not-run")]
    node.reachable, node.trouble = True, lambda _action: None
    report = night.run(run="r2")
    assert [one.ending for one in report.settled] == ["failed"]
    assert endings(report) == [("start archive", "done"), ("prove that the node serves", "done")]
