"""What a person does with what the store check found: what is open, since when, what is known and no longer alarms."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import JsonValue

from maintainer.errors import UsageError
from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Kind
from maintainer.model.finding import Acknowledged, Finding, Measurement, Severity
from maintainer.model.plan import Answer, Nothing, Refuse, Unseen
from maintainer.model.task import Assignment, Params
from maintainer.planning.covered import Covered
from maintainer.running.acknowledged import Acknowledgements
from maintainer.running.recorder import Recorder
from maintainer.running.report import alarming
from maintainer.running.standing import standing
from maintainer.running.store_findings import TASK, Stores, open_about, stores
from maintainer.running.verdicts import acknowledge
from tests.fakes.fake_fleet import NOW

DAY = timedelta(days=1)
COVERED = Covered(within=30 * DAY, share=0.5, oldest=date(2026, 2, 1), complete=NOW, keeps=False, rate_needed=86_000)


class Nights:
    """The log of a controller with two stores, night after night."""

    def __init__(self, state: Path) -> None:
        self.now, self.number = NOW, 0
        self.log = InterventionLog.open(state, origin="s", clock=lambda: self.now)
        self.assignments = [Assignment(node=node, task=TASK, params=Params(window="night")) for node in ("a", "b")]

    def night(self, answer: Answer, node: str = "a") -> None:
        self.now, self.number = self.now + DAY, self.number + 1
        (assignment,) = (one for one in self.assignments if one.node == node)
        Recorder(self.log, f"r{self.number}", "agent", "").decided(assignment, answer)

    def seen(self) -> Stores:
        return stores(self.log, self.assignments)

    def open(self) -> list[tuple[str, str, str, bool]]:
        found = [one for one in self.seen().findings if one.open]
        return [(one.node, one.finding.cause, one.finding.subject, bool(one.finding.acknowledged)) for one in found]

    def acknowledge(self, name: str, node: str | None = None, *, accepted: bool = False) -> None:
        about = open_about(self.seen(), name, node)
        word = Acknowledged(who="Ann", at=self.now, why="its film is kept", accepted=accepted)
        acknowledge(self.log, "keyboard", about, word)

    def alarms(self, *found: Finding, node: str = "a") -> list[str]:
        mark = Acknowledgements.of(self.log).mark
        told = Nothing(because="", findings=tuple(mark(node, TASK, one, self.now) for one in found))
        return [one.cause for one in alarming([told])]


@pytest.fixture
def nights(tmp_path: Path) -> Iterator[Nights]:
    made = Nights(tmp_path)
    with made.log:
        yield made


def finding(cause: str, subject: str = "object-1", good: timedelta | None = None) -> Finding:
    evidence = {} if good is None else {"last_good_seconds_ago": int(good.total_seconds())}
    return Finding(severity=Severity.CRITICAL, cause=cause, subject=subject, evidence=evidence, advice="look")


def told(*findings: Finding) -> Nothing:
    return Nothing(because="read", findings=findings)


def test_what_is_acknowledged_alarms_no_longer_and_another_cause_does(nights: Nights) -> None:
    """The mark is of one node, cause and object; it says who and why, and the log who was at the keyboard."""
    rotten, missing = finding("object-bit-rot"), finding("object-missing")
    nights.night(told(rotten, finding("object-bit-rot", "object-2")))
    nights.acknowledge("object-1")
    assert nights.alarms(rotten) == []
    assert nights.alarms(missing, rotten) == ["object-missing"]
    assert nights.alarms(finding("object-bit-rot", "object-2")) == nights.alarms(rotten, node="b") == ["object-bit-rot"]
    assert nights.open() == [("a", "object-bit-rot", "object-1", True), ("a", "object-bit-rot", "object-2", False)]
    (record,) = (one for one in nights.log.records() if one.kind is Kind.ACKNOWLEDGED)
    assert record.finding
    assert record.finding.acknowledged == Acknowledged(who="Ann", at=nights.now, why="its film is kept")
    assert (record.actor, record.node, record.subject, record.text) == ("keyboard", "a", "object-1", "its film is kept")


def test_what_was_good_again_since_is_not_known(nights: Nights) -> None:
    """Each night it is longer since the object was good; once that is less than since the word, it is a new damage."""
    nights.night(told(finding("object-bit-rot", good=DAY)))
    nights.acknowledge("object-1")
    nights.now += 7 * DAY
    assert nights.alarms(finding("object-bit-rot", good=8 * DAY)) == []
    assert nights.alarms(finding("object-bit-rot", good=2 * DAY)) == ["object-bit-rot"]


def test_what_is_accepted_is_one_content(nights: Nights) -> None:
    """Another one alarms, whatever its cause, and says why; until it was good again, or that is known too."""

    def found(cause: str, sha256: str, good: timedelta = 9 * DAY) -> Finding:
        told = finding(cause, good=good)
        return told.model_copy(update={"evidence": {**told.evidence, **({"sha256": sha256} if sha256 else {})}})

    modified, again, gone = (
        found("object-modified", "aa"),
        found("object-modified", "bb"),
        found("object-missing", ""),
    )
    nights.night(told(modified))
    nights.acknowledge("object-1", accepted=True)
    assert nights.alarms(modified) == []
    nights.now += DAY
    assert nights.alarms(again, gone) == ["object-modified", "object-missing"]
    mark = Acknowledgements.of(nights.log).mark
    for other in (again, gone):
        marked = mark("a", TASK, other, nights.now)
        assert marked.evidence["accepted"] == "otherwise"
        assert marked.advice.startswith("what Ann accepted on ")
        assert mark("a", TASK, marked, nights.now) == marked
    anew = found("object-modified", "bb", good=timedelta(hours=1))
    assert mark("a", TASK, anew, nights.now) == anew
    assert mark("a", TASK, gone, nights.now - 2 * DAY) == gone  # what was told before
    nights.night(told(again))
    nights.acknowledge("object-1")
    assert nights.alarms(again) == []


def test_a_storage_that_is_another_nodes_can_be_acknowledged(nights: Nights) -> None:
    """The check's own advice: what is said of one storage of the index would alarm every night, for ever."""
    elsewhere = finding("storage-not-declared", "fs2")
    nights.night(told(elsewhere, finding("storage-not-declared", "fs3")))
    nights.acknowledge("fs2")
    assert nights.alarms(elsewhere) == []
    assert nights.alarms(finding("storage-not-declared", "fs3")) == ["storage-not-declared"]
    assert nights.alarms(finding("archive-reports-missing", "fs2")) == ["archive-reports-missing"]


def test_no_task_acknowledges_its_own_findings(nights: Nights) -> None:
    """A mark comes from the log alone."""
    word = Acknowledged(who="a task", at=NOW, why="never mind")
    assert nights.alarms(finding("object-missing").model_copy(update={"acknowledged": word})) == ["object-missing"]


def test_a_finding_is_told_since_it_was_last_good(nights: Nights) -> None:
    """First and last telling, of this damage alone; what the newest look does not tell is not open, and kept."""
    nights.night(told(finding("object-bit-rot"), finding("object-missing", "object-2")))
    nights.night(told())
    nights.night(told(finding("object-bit-rot", good=DAY / 2)))
    nights.night(told(finding("object-bit-rot", good=3 * DAY / 2)))
    rotten, missing = nights.seen().findings
    assert (rotten.open, rotten.first_told, rotten.last_told) == (True, NOW + 3 * DAY, NOW + 4 * DAY)
    assert rotten.last_good == NOW + 2.5 * DAY
    assert (missing.open, missing.first_told, missing.last_told) == (False, NOW + DAY, NOW + DAY)


@pytest.mark.parametrize(
    ("blind", "since", "more"),
    [
        (Unseen(because="nobody answers"), "nobody answers", []),
        (
            Refuse(because="not mounted", hint="", findings=(finding("store-lost", "store"),)),
            "not mounted",
            ["store-lost"],
        ),
        (told(finding("proof-failed", "store")), "read", ["proof-failed"]),
    ],
)
def test_a_look_that_did_not_see_the_store_takes_nothing_back(
    blind: Answer, since: str, more: Sequence[str], nights: Nights
) -> None:
    """What was open stays open, what that look has found is added, and the list says which look it is of."""
    nights.night(told(finding("object-missing")))
    nights.night(blind)
    assert [cause for _, cause, *_ in nights.open()] == ["object-missing", *more]
    a, b = nights.seen().looks
    assert (a.looked_at[:10], a.since_then) == (f"{NOW + DAY:%Y-%m-%d}", since)
    assert (b.looked_at, b.since_then) == ("", "")


@pytest.mark.parametrize("ago", [0, -5, 10**300, 1e300, "long", None])
def test_whatever_a_node_says_of_its_last_good_reading_is_listed(ago: JsonValue, nights: Nights) -> None:
    """A time that is none is left out; the finding and its first telling are there."""
    nights.night(told(finding("object-size").model_copy(update={"evidence": {"last_good_seconds_ago": ago}})))
    nights.acknowledge("object-1")
    (found,) = nights.seen().findings
    assert (found.open, found.first_told) == (True, nights.now)
    assert found.last_good == (nights.now if ago == 0 else None)


def test_what_cannot_be_acknowledged(nights: Nights) -> None:
    """Nothing that is not open, nothing about the store as a whole, and no name that means two objects."""
    for node in ("a", "b"):
        nights.night(told(finding("object-missing"), finding("store-lost-not", "store")), node)
    for name, node, why in (
        ("object-9", None, "nothing is found"),
        ("store", "a", "nothing is found"),
        ("object-1", None, "on a, b"),
    ):
        with pytest.raises(UsageError, match=why):
            nights.acknowledge(name, node)
    nights.acknowledge("object-1", "b")
    assert [known for *_, subject, known in nights.open() if subject == "object-1"] == [False, True]


@pytest.mark.parametrize(
    "covered", [COVERED, COVERED.model_copy(update={"oldest": None, "complete": None, "keeps": None})]
)
def test_status_tells_the_coverage_that_was_measured(covered: Covered, nights: Nights) -> None:
    """As numbers in the log and back; in the log it is one record."""
    nights.night(Nothing(because="", measured=tuple(covered.measured())))
    nights.night(Unseen(because="nobody answers"))
    assert [one.kind for one in nights.log.records()].count(Kind.MEASURED) == 1
    (store,) = standing(nights.log, tuple(nights.assignments), nights.now).stores
    assert (store.node, store.coverage) == ("a", covered)
    assert datetime.fromisoformat(store.as_of) == NOW + DAY


def test_a_store_without_a_period_has_no_coverage(nights: Nights) -> None:
    """What was measured while there was one is of no interest any more."""
    nights.night(Nothing(because="", measured=tuple(COVERED.measured())))
    nights.night(Nothing(because="", measured=(Measurement(name="verified-up-to", subject="store", value=0.0),)))
    assert standing(nights.log, tuple(nights.assignments), nights.now).stores == ()
