"""A night's work on a ledger, as far as it is the controller's: it ends with its time."""

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from maintainer.errors import ActionFailed, CouldNotLook, LinkLost, NodeHeld
from maintainer.links.store_ledger import _Night, seen
from maintainer.model.action import VerifyStore

ACTION = VerifyStore(
    night="2026-11-24T22:00:00Z",
    quota=1,
    rate=None,
    threads=1,
    pause_above=10**6,
    grace=timedelta(days=1),
    lost_share=0.01,
)


class Node:
    """A node on which files that nobody knows never come to an end."""

    name, is_cut, sealed_root = "node", False, ""
    node = SimpleNamespace(dicom=None)
    archive = SimpleNamespace(known_sql="", objects_sql="", has_index=True)

    def __init__(self) -> None:
        self.settled: list[Any] = []
        self.stop_asked: Callable[[], bool] = lambda: False

    def rows(self, _text: str, _parameters: Any) -> list[dict[str, Any]]:
        return []

    def ask(self, program: str, _request: Any) -> Any:
        if program == "store-sums":
            return {"width": 1, "last_key": 1, "sums": [[1, 1, "1", 1]], "compared": 0}
        assert len(self.settled) < 3, "it goes on and on"
        return {"objects": [], "strays": [f"aa/{len(self.settled)}"]}

    def program(self) -> Any:
        return SimpleNamespace(act=self._act)

    def _act(self, program: str, request: Any, timeout: timedelta) -> Any:
        if program == "store-learn":
            return {"new": 0, "replaced": 0, "gone": 0, "lost": True}
        if program == "store-seal":
            self.to_seal = timeout
            return {"root": "R"}
        self.settled.append(request["strays"])
        return {}


@pytest.mark.parametrize(("timeout", "rounds"), [(timedelta(0), 1), (timedelta(hours=1), 3)])
def test_asking_the_index_about_strays_ends_with_the_time(timeout: timedelta, rounds: int) -> None:
    """However many there are: a page of them is told in any case, and the rest only while the window is open."""
    node: Any = Node()
    night = _Night(node, node, ACTION, "step-1", timeout)
    if rounds == 1:
        night._settle()
    else:
        with pytest.raises(AssertionError, match="on and on"):
            night._settle()
    assert len(node.settled) == rounds


def test_a_night_is_closed_also_when_its_time_is_over() -> None:
    """The root of a large ledger takes a minute; one that stays open would be told as unproven the next night."""
    node: Any = Node()
    told = _Night(node, node, ACTION, "step-1", timedelta(0)).run()
    assert (told["ledger_root"], node.sealed_root, node.to_seal) == ("R", "R", timedelta(minutes=5))


class Silenced(Node):
    """A node whose index does not answer one kind of question: of "width" before the reading, of "paths" after it."""

    def __init__(self, trouble: Exception, question: str) -> None:
        super().__init__()
        self.trouble, self.question, self.sealed = trouble, question, 0

    def rows(self, _text: str, parameters: Any) -> list[dict[str, Any]]:
        if self.question in parameters:
            raise self.trouble
        return [{"place": 1, "objects": 1, "keys": "1", "bytes": 1, "reached": 1}] if "width" in parameters else []

    def program(self) -> Any:
        return SimpleNamespace(act=self._act, launch=self._launch)

    def _launch(self, *_asked: Any, **_wait: Any) -> dict[str, Any]:
        read = {"stopped": "quota", "objects": 1, "bytes": 1, "seconds": 1.0, "files": 1, "files_complete": True}
        return {"state": "finished", "ok": True, "answer": {**read, "proof": []}, "error": None}

    def _act(self, program: str, request: Any, timeout: timedelta) -> Any:
        self.sealed += program == "store-seal"
        return super()._act(program, request, timeout)


@pytest.mark.parametrize(
    ("trouble", "question", "sealed"),
    [(CouldNotLook("silent"), "paths", 1), (CouldNotLook("silent"), "width", 0), (LinkLost("lost"), "paths", 0)],
)
def test_a_ledger_is_closed_when_the_index_falls_silent(trouble: Exception, question: str, sealed: int) -> None:
    """What was read is kept, and the step says why it failed; what was not begun or is out of reach is left."""
    node: Any = Silenced(trouble, question)
    with pytest.raises(type(trouble), match=str(trouble)):
        _Night(node, node, ACTION, "step-1", timedelta(hours=1)).run()
    assert node.sealed == sealed


def _ask(ledger: Any) -> Any:
    return lambda _program, _request: {"store_present": True, "trouble": "", "ledger": ledger}


def _silent(error: Exception) -> Any:
    def rows(_text: str, _parameters: Any) -> list[dict[str, Any]]:
        raise error

    return rows


def test_a_ledger_is_told_also_while_the_index_is_silent() -> None:
    """The root of a night whose index fell silent is then on record, and the next night believes it."""
    archive: Any = Node.archive
    ledger = {"last_key": 7, "deviations": list[Any](), "root": "R"}
    told: Any = seen(archive, _silent(CouldNotLook("no answer")), _ask(ledger))
    assert (told["ledger"]["root"], told["silent"], told["arrived_all"]) == ("R", "no answer", False)


@pytest.mark.parametrize(("trouble", "ledger"), [(CouldNotLook(""), None), (LinkLost(""), {"last_key": 7})])
def test_without_a_ledger_or_a_node_nothing_is_told(trouble: Exception, ledger: Any) -> None:
    """There is nothing that could be."""
    archive: Any = Node.archive
    with pytest.raises(type(trouble)):
        seen(archive, _silent(trouble), _ask(ledger))


class Interrupted(Silenced):
    """A node that is asked to stop at its question of that number; its store would take the whole night."""

    def __init__(self, questions: int) -> None:
        super().__init__(CouldNotLook(""), "nothing")
        self.questions, self.acted = questions, list[str]()
        self.stop_asked = lambda: len(self.acted) >= self.questions
        self.ended: dict[str, Any] = {"class": "failed", "what": "it was cancelled", "hint": ""}

    def program(self) -> Any:
        return SimpleNamespace(act=self._act, launch=self._launch, observe=self._observe)

    def _launch(self, *_asked: Any, **_wait: Any) -> dict[str, Any]:
        self.acted.append("store-read")
        return {"state": "running"}

    def _observe(self, _program: str, _request: Any, _timeout: timedelta) -> dict[str, Any]:
        assert "cancel" in self.acted, "it is read on and on"
        return {"state": "finished", "ok": False, "error": self.ended}

    def _act(self, program: str, request: Any, timeout: timedelta) -> Any:
        self.acted.append(program)
        return {"state": "finished"} if program == "cancel" else super()._act(program, request, timeout)


@pytest.mark.parametrize(
    ("questions", "acted"),
    [(0, ["store-settle", "store-seal"]), (1, ["store-read", "cancel", "store-settle", "store-seal"])],
)
def test_a_stop_ends_the_reading_and_closes_the_night(questions: int, acted: list[str]) -> None:
    """What was read by then stays read; a run that is only cut off would leave the ledger open for hours."""
    node: Any = Interrupted(questions)
    told = _Night(node, node, ACTION, "step-1", timedelta(hours=1)).run()
    assert (node.acted, told["stopped"], told["ledger_root"]) == (acted, "stop-asked", "R")
    assert len(node.settled) == 1


def test_a_reading_that_fails_for_another_reason_while_a_stop_is_asked_for_has_failed() -> None:
    """Time that is over, say, is no stop."""
    node: Any = Interrupted(1)
    node.ended = {"class": "deadline", "what": "its time is over", "hint": ""}
    with pytest.raises(ActionFailed, match="its time is over"):
        _Night(node, node, ACTION, "step-1", timedelta(hours=1)).run()
    assert node.acted[-1] == "store-seal"


class Failing(Silenced):
    """A node on which one program fails; the ledger can be sealed, or not."""

    def __init__(self, program: str, error: Exception, *, seals: bool = True) -> None:
        super().__init__(CouldNotLook(""), "nothing")
        self.failing, self.error, self.seals = program, error, seals

    def ask(self, program: str, request: Any) -> Any:
        return {"objects": [], "strays": ["aa/0"]} if program == "store-unsettled" else super().ask(program, request)

    def _act(self, program: str, request: Any, timeout: timedelta) -> Any:
        if program == self.failing:
            raise self.error
        answer = super()._act(program, request, timeout)
        if program == "store-seal" and not self.seals:
            raise ActionFailed("the disk is full, too")
        return answer


@pytest.mark.parametrize("seals", [True, False])
def test_a_night_that_fails_seals_what_it_has_read(*, seals: bool) -> None:
    """What was committed by then is as good as a whole night's; the step says why it failed, whatever the seal does."""
    node: Any = Failing("store-settle", ActionFailed("the disk is full"), seals=seals)
    with pytest.raises(ActionFailed, match=r"the disk is full$"):
        _Night(node, node, ACTION, "step-1", timedelta(hours=1)).run()
    assert (node.sealed, node.sealed_root) == (1, "R" * seals)


def test_a_node_that_somebody_else_holds_is_not_sealed() -> None:
    """Whoever holds it closes the ledger."""
    node: Any = Failing("store-settle", NodeHeld("by another"))
    with pytest.raises(NodeHeld):
        _Night(node, node, ACTION, "step-1", timedelta(hours=1)).run()
    assert node.sealed == 0
