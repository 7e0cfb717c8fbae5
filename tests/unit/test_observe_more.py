"""What a task asks only where something is due: after the rest, and so that no answer costs it nothing but that."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from maintainer.errors import CouldNotLook, LinkLost
from maintainer.model.inventory import Node, Role
from maintainer.model.plan import Nothing
from maintainer.model.task import Assignment, Facts, NodeQuery, Params, Question, Seen, Task
from maintainer.running.observe import Eyes
from tests.fakes.fake_fleet import NOW, FakeNode
from tests.unit.engine_bench import one_node

SERVICES, CLEANUP, UNKNOWN = (NodeQuery(program=name, request={}) for name in ("services", "cleanup", "no-such"))


class Told(Facts):
    services: Seen
    more: Seen | None = None
    most: Seen | None = None


class Curious(Task[Params, Told]):
    name = "curious"
    roles = frozenset({Role.DATABASE})
    params, facts = Params, Told

    def __init__(self, more: Mapping[str, Question], most: Mapping[str, Question]) -> None:
        self.more, self.most = dict(more), dict(most)

    def observe(self, _node: Node, _params: Params) -> Mapping[str, Question]:
        return {"services": SERVICES}

    def observe_more(self, _node: Node, _params: Params, facts: Told) -> Mapping[str, Question]:
        return self.more if facts.more is None else self.more | self.most

    def plan(self, _node: Node, _params: Params, facts: Told) -> Nothing:
        return Nothing(because=f"more is known: {facts.more is not None}")


def _look(
    folder: Path, node: FakeNode, more: Mapping[str, Question], most: Mapping[str, Question] = MappingProxyType({})
) -> Any:
    night = one_node(folder, node, tasks=["disk-cleanup"])
    eyes = Eyes(night.inventory, {"curious": Curious(more, most)}, night.eyes.names, lambda: NOW)
    return eyes.look(Assignment(node="pacs-a", task="curious", params=Params(window="night")), node)


def test_nothing_more_costs_no_request(tmp_path: Path) -> None:
    """The node is asked once, and the facts keep their default."""
    node = FakeNode()
    assert _look(tmp_path, node, {}).because == "more is known: False"
    assert node.requests == [[SERVICES]]


def test_more_is_asked_after_the_rest(tmp_path: Path) -> None:
    """In a request of its own: what it asks follows from what was answered."""
    node = FakeNode()
    assert _look(tmp_path, node, {"more": CLEANUP}).because == "more is known: True"
    assert node.requests == [[SERVICES], [CLEANUP]]


def test_what_that_brought_may_lead_to_more(tmp_path: Path) -> None:
    """It is asked until it names nothing new, and nothing twice."""
    node = FakeNode()
    _look(tmp_path, node, {"more": CLEANUP}, {"most": SERVICES.model_copy(update={"request": {"one": 1}})})
    assert [len(asked) for asked in node.requests] == [1, 1, 1]


def test_no_answer_leaves_the_default(tmp_path: Path) -> None:
    """As of a node whose program is an earlier one: the task decides without."""
    node = FakeNode()
    assert _look(tmp_path, node, {"more": UNKNOWN}).because == "more is known: False"


@pytest.mark.parametrize("error", [LinkLost("the link broke"), CouldNotLook("no such program")])
def test_a_node_that_is_lost_meanwhile_is_unseen(tmp_path: Path, error: CouldNotLook) -> None:
    """Nothing is decided about it, whereas one question without an answer is no more than that."""

    class Breaks(FakeNode):
        def observe(self, observation: object) -> object:
            if observation == CLEANUP:
                raise error
            return super().observe(observation)  # type: ignore[arg-type]  # (as it came)

    answer = _look(tmp_path, Breaks(), {"more": CLEANUP})
    assert answer.kind == ("unseen" if isinstance(error, LinkLost) else "nothing")
