"""What a dry run says of a node that it cannot look at."""

from pathlib import Path

from maintainer.errors import Exit, LinkLost
from maintainer.model.action import Action
from maintainer.running.report import exit_of_plan
from tests.fakes.fake_fleet import FakeNode
from tests.unit.engine_bench import one_node


def _lost(_action: Action) -> None:
    raise LinkLost("the link broke")


def test_a_silent_node_with_an_open_step_is_one_that_was_not_seen(tmp_path: Path) -> None:
    """Exit 3, as for every node that does not answer: refusing would say that somebody had looked."""
    node = FakeNode(old_files=3, trouble=_lost)
    night = one_node(tmp_path, node, tasks=["disk-cleanup"])
    assert night.run().exit() == Exit.UNKNOWN
    node.reachable = False
    plan = night.plan()
    assert [entry.answer.kind for entry in plan.entries] == ["unseen"]
    assert (exit_of_plan(plan), plan.entries[0].answer.because) == (Exit.UNKNOWN, "fake: nobody answers")
    node.reachable = True
    assert exit_of_plan(night.plan()) == Exit.FINE
