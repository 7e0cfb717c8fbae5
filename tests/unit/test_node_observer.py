"""How the node's program is asked: in one request, and one by one when nothing that came back can be used."""

import json
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import TypeAdapter

from maintainer.errors import CouldNotLook, LinkLost, NodeUnreachable
from maintainer.links import node_observer
from maintainer.links.completed import Completed
from maintainer.links.node_observer import NodeObserver
from maintainer.links.node_program import NodeProgram, zipapp_bytes
from maintainer.model.task import NodeQuery, OnRecord, Probe, Recorded, Seen

POLICY: Any = {"services": {}, "roots": {}, "store": None, "not_objects": []}
FAN, PUMP, VALVE = (NodeQuery(program=name, request={}) for name in ("fan-speed", "pump", "valve"))
MOUNTS = Probe(by="mounts")
STATES = {"/srv/dicom": {"mounted": True, "empty": False, "problem": ""}}
ON_RECORD = {"table t": OnRecord(0.0, 0.0), "index i": OnRecord(0.0, 2.0)}
Answer = Callable[[list[str]], Any]


class Link:
    """A link to a node whose program answers as `answer` says, given the names of the programs that it is asked for."""

    name = "pacs-a"
    node = SimpleNamespace(mounts=("/srv/dicom",))

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.requests: list[tuple[list[str], timedelta]] = []

    def program(self) -> NodeProgram:
        return NodeProgram(self.name, self._run, POLICY, zipapp_bytes([]))

    def _run(self, _command: str, stdin: bytes, timeout: timedelta) -> Completed:
        length, rest = stdin.split(b"\n", 1)
        asked = [one["program"] for one in json.loads(rest[int(length) :])["questions"]]
        self.requests.append((asked, timeout))
        answers = self._answer(asked)
        if isinstance(answers, bytes):
            return Completed(answers, b"", 0)
        return Completed(json.dumps({"format": "maintainer.node/2", "ok": True, "answers": answers}).encode(), b"", 0)


def good(asked: list[str]) -> list[dict[str, Any]]:
    return [{"program": name, "ok": True, "answer": STATES if name == "mounts" else 7} for name in asked]


def observer(answer: Answer) -> tuple[NodeObserver, Link]:
    link = Link(answer)
    return NodeObserver(link, lambda _node, _measurement: ON_RECORD), link  # type: ignore[arg-type]  # (what it uses of a link)


def test_programs_and_mounts_travel_in_one_request() -> None:
    """The probe of the mounts is a question for the program, too, and is answered as a probe is."""
    eyes, link = observer(good)
    first, mounts, third = eyes.together([FAN, MOUNTS, PUMP])
    assert (first, third) == (7, 7)
    assert isinstance(mounts, dict)
    assert (mounts["answered"], mounts["why"]) == (True, "")
    assert link.requests == [(["fan-speed", "mounts", "pump"], timedelta(minutes=5))]


def test_a_mount_that_is_not_there_is_an_answer() -> None:
    """Whatever state the node reports, or none at all, the probe says what is wrong."""
    eyes, _ = observer(lambda asked: [{"program": name, "ok": True, "answer": {}} for name in asked])
    assert eyes.observe(MOUNTS)["why"] == "/srv/dicom is not in the node's policy"  # type: ignore[index,call-overload]  # (a mapping, by contract)


@pytest.mark.parametrize(
    "failing", [b"", b"garbage", b"x" * 9_000_000, good(["fan-speed"]), good(["pump", "fan-speed"])]
)
def test_when_nothing_can_be_used_each_is_asked_again_alone(failing: Any) -> None:
    """What one of them hangs on, floods or garbles hides no other: three requests, two answers."""
    eyes, link = observer(lambda asked: good(asked) if len(asked) == 1 else failing)
    assert eyes.together([FAN, PUMP]) == [7, 7]
    assert [asked for asked, _ in link.requests] == [["fan-speed", "pump"], ["fan-speed"], ["pump"]]


def late(asked: list[str]) -> list[dict[str, Any]]:
    """What the node answers when it keeps the deadline by itself."""
    return [
        {"program": name, "ok": False, "error": {"class": "deadline", "what": "over", "hint": ""}} for name in asked
    ]


@pytest.mark.parametrize("silence", [lambda _asked: b"", late], ids=["no answer", "out of time"])
@pytest.mark.parametrize(
    ("hanging", "seen"), [({"fan-speed"}, [False, True, True]), ({"fan-speed", "pump"}, [False] * 3)]
)
def test_a_node_on_which_all_hangs_is_not_waited_for_once_a_question(
    hanging: set[str], seen: list[bool], silence: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that hangs hides no other; where a second one hangs too, the others are not asked any more."""
    now = [0.0]
    monkeypatch.setattr(node_observer, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def answer(asked: list[str]) -> Any:
        if hanging.isdisjoint(asked):
            return good(asked)
        now[0] += 300
        return silence(asked)

    eyes, link = observer(answer)
    assert [not isinstance(one, CouldNotLook) for one in eyes.together([FAN, PUMP, VALVE])] == seen
    assert len(link.requests) == (4 if len(hanging) == 1 else 3)


def test_what_cannot_be_used_alone_either_is_trouble() -> None:
    """Asked once more, not for ever; each has its own sentence."""
    eyes, link = observer(lambda asked: good(asked) if asked == ["pump"] else b"garbage")
    fan, pump = eyes.together([FAN, PUMP])
    assert (type(fan), pump) == (CouldNotLook, 7)
    assert len(link.requests) == 3


def test_whoever_ran_out_of_the_common_time_gets_time_of_its_own() -> None:
    """Only what has no answer is asked again."""
    eyes, link = observer(lambda asked: good(asked) if len(asked) == 1 else [*good(["fan-speed"]), *late(["pump"])])
    assert eyes.together([FAN, PUMP]) == [7, 7]
    assert [asked for asked, _ in link.requests] == [["fan-speed", "pump"], ["pump"]]


@pytest.mark.parametrize(("error", "times"), [(NodeUnreachable("nobody there"), 1), (LinkLost("cut"), 3)])
def test_a_node_that_cannot_be_reached_is_tried_once(error: CouldNotLook, times: int) -> None:
    """A link that broke is made anew, for what broke it may have been one of the questions."""

    def fail(_asked: list[str]) -> Any:
        raise error

    eyes, link = observer(fail)
    assert eyes.together([FAN, PUMP]) == [error, error]
    assert len(link.requests) == times


@pytest.mark.parametrize(("above", "subjects"), [(None, ["table t", "index i"]), (0.0, ["index i"]), (2.0, [])])
def test_of_what_is_on_record_only_what_is_above_a_value_is_told(above: float | None, subjects: list[str]) -> None:
    """By the last value: what most subjects of a large database have need not be carried along."""
    eyes, _ = observer(good)
    found = eyes.observe(Recorded(measurement="damage", above=above))
    assert found == {subject: ON_RECORD[subject] for subject in subjects}


def test_a_task_may_take_of_what_is_on_record_what_it_needs() -> None:
    """A class of its own that names one of the two values, as well as the pair itself."""

    class Least(Seen):
        least: float

    found = {"index i": OnRecord(0.5, 2.0)}
    assert TypeAdapter(dict[str, Least]).validate_python(found) == {"index i": Least(least=0.5)}
    assert TypeAdapter(dict[str, OnRecord]).validate_python(found) == found
