"""Asking partners for good copies: whom, how often, how much, and what is said where it cannot be."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from maintainer.errors import CouldNotLook
from maintainer.model.finding import Acknowledged, Finding, Severity
from maintainer.model.task import Observation, StoreCopies, StoreInstances
from maintainer.model.window import Occurrence
from maintainer.planning.copies import Told, told_in
from maintainer.running.copies import LONGEST, MOST_OBJECTS, SOON, Copies
from maintainer.running.gate import Gate
from maintainer.running.recalled_copies import RecalledCopies
from maintainer.running.stop import Stop
from tests.fakes.fake_fleet import NOW

HERE: Any = SimpleNamespace(node="pacs-a")
KEEPS = SimpleNamespace(store=SimpleNamespace(archive="practice"), database=object())
TREE = SimpleNamespace(store=SimpleNamespace(archive="tree"), database=object())


class Group:
    """A node and its partners, and what each was asked. `found`: partner → what it answers of each UID."""

    def __init__(self, **found: Any) -> None:
        self.found, self.asked = found, list[tuple[str, Any]]()
        self.left, self.trouble = timedelta(hours=1), ""
        nodes = {"pacs-a": KEEPS, **dict.fromkeys(found, KEEPS), "viewer": SimpleNamespace(store=None, database=None)}
        self.inventory: Any = SimpleNamespace(nodes=nodes, partners=lambda _: (*found, "viewer"))
        self.now, self.recalled = NOW, dict[tuple[str, str], Told]()
        self.copies = self.new_run()

    def new_run(self) -> Copies:
        return Copies(
            inventory=self.inventory,
            look=self.look,
            time_left=lambda _: self.left,
            recall=lambda _: self.recalled,
            clock=lambda: self.now,
        )

    @contextmanager
    def look(self, name: str) -> Iterator[Any]:
        def observe(asked: StoreCopies) -> Any:
            self.asked.append((name, asked))
            if self.found[name] is None:
                raise CouldNotLook("it sleeps")
            states = (self.found[name] if place < asked.most_objects else "waits" for place in range(len(asked.uids)))
            proof = {"algorithm": "md5", "digest": "d1"}
            return {uid: {"state": state, **proof} for uid, state in zip(asked.uids, states, strict=True)}

        yield SimpleNamespace(observe=observe)

    def observe(self, asked: Observation) -> Any:
        """Answer as the damaged node: what it lists under the key N is the instance 1.N."""
        assert isinstance(asked, StoreInstances)
        self.asked.append(("pacs-a", asked))
        if self.trouble:
            raise CouldNotLook(self.trouble)
        return {
            str(key): {"uid": f"1.{key}", "algorithm": "md5", "digest": f"d{key}"} for key in asked.keys if key < 99
        }

    def told(self, *findings: Finding) -> list[dict[str, Any]]:
        return [one.evidence for one in self.copies.added_to(findings, HERE, self)]


def finding(key: int | None, *, known: bool = False, good: timedelta | None = None) -> Finding:
    word = Acknowledged(who="x", at=datetime.fromisoformat("2026-11-24T22:00:00+00:00"), why="y")
    return Finding(
        severity=Severity.CRITICAL,
        cause="object-size",
        subject=f"object-{key}",
        evidence={} if good is None else {"last_good_seconds_ago": good.total_seconds()},
        advice="fetch a good copy",
        indexed_as=key,
        acknowledged=word if known else None,
    )


def test_every_partner_with_a_store_is_asked() -> None:
    """A copy with the digest that is indexed here is good, any other sound one is sound; a viewer has no objects."""
    group = Group(b="sound", c="damaged")
    assert group.told(finding(1), finding(2)) == [
        {"copy_on_b": "good", "copy_on_c": "damaged"},
        {"copy_on_b": "sound", "copy_on_c": "damaged"},
    ]
    assert [name for name, _ in group.asked] == ["pacs-a", "b", "c"]


def test_what_is_no_lost_object_asks_nobody() -> None:
    """Nor does what a person knows of already, or a node without partners."""
    group = Group(b="sound")
    assert group.told(finding(None), finding(1, known=True)) == [{}, {}]
    assert Group().told(finding(1)) == [{}]
    assert group.asked == []


def test_a_store_without_an_index_asks_nobody() -> None:
    """Which SOP instance a damaged file was, nobody there can tell, and no partner is said to be out of reach."""
    group = Group(b="sound")
    group.inventory.nodes["pacs-a"] = SimpleNamespace(store=KEEPS.store, database=None)
    assert (group.told(finding(1)), group.asked) == ([{}], [])


def test_a_tree_of_files_is_asked_for_nothing() -> None:
    """Without an index nobody knows which instance its damaged file is, nor where it has another one's."""
    group = Group(b="sound", c="sound")
    group.inventory.nodes["b"] = TREE
    assert group.told(finding(1)) == [{"copy_on_c": "good"}]
    group.inventory.nodes["pacs-a"] = TREE
    assert group.told(finding(1)) == [{}]
    assert [name for name, _ in group.asked] == ["pacs-a", "c"]


def test_each_is_asked_for_once_in_a_run() -> None:
    """The look after a reading asks only for what is new, and within what is left of the run's limit."""
    group = Group(b="sound")
    group.told(finding(1), finding(2))
    group.told(finding(1), finding(2), finding(3))
    asked = [(question.uids, question.most_objects) for name, question in group.asked if name == "b"]
    assert asked == [(("1.1", "1.2"), MOST_OBJECTS), (("1.3",), MOST_OBJECTS - 2)]


class MeanwhileKey(tuple[str, str, int]):  # noqa: SLOT001 (it carries what it disturbs)
    """A key that is looked at just when another lane notes something of its own."""

    known: dict[tuple[str, str, int], Any]

    def __iter__(self) -> Iterator[Any]:
        self.known.setdefault(("pacs-x", "y", 7), Told("good", NOW))
        return super().__iter__()


def test_lanes_that_ask_at_once_do_not_disturb_each_other() -> None:
    """What another node's partners say may be noted at any moment; it costs nobody the night."""
    group = Group(b="sound")
    key = MeanwhileKey(("pacs-x", "y", 6))
    key.known = group.copies.known
    group.copies.known[key] = Told("good", NOW)
    assert group.told(finding(1)) == [{"copy_on_b": "good"}]


def test_what_the_index_lost_since_is_left_out() -> None:
    """There is no instance to ask for, so its finding says of copies that nobody was asked."""
    group = Group(b="sound")
    assert group.told(finding(99), finding(1)) == [{"copy_on_b": "not-asked"}, {"copy_on_b": "good"}]


@pytest.mark.parametrize("how", ["partner", "index", "time"])
def test_who_cannot_be_asked_is_said(how: str) -> None:
    """Whatever is the matter: the finding stays, and the other partners are asked all the same."""
    group = Group(b=None if how == "partner" else "sound", c="sound")
    group.trouble = "no index" if how == "index" else ""
    group.left = timedelta(seconds=5) if how == "time" else group.left
    assert group.told(finding(1)) == [
        {"copy_on_b": "not-asked", "copy_on_c": "good" if how == "partner" else "not-asked"}
    ]
    assert (len(group.asked) == 0) == (how == "time")


def test_the_time_is_bounded() -> None:
    """By a minute for each question, a tenth of the window for what is large, and by the window."""
    short = timedelta(seconds=20)
    for left, soon, within in (
        (timedelta(hours=8), SOON, LONGEST),
        (timedelta(hours=1), SOON, timedelta(minutes=6)),
        (timedelta(minutes=5), SOON, SOON),
        (short, short, short),
    ):
        group = Group(b="sound")
        group.left = left
        group.told(finding(1))
        (_, instances), (_, copies) = group.asked
        assert (instances.within, copies.soon, copies.within) == (soon, soon, within)


def test_a_run_that_is_asked_to_stop_asks_nobody_any_more() -> None:
    """Each partner may take a minute to answer, and who pressed Ctrl-C waits for what has begun alone."""
    group, stop = Group(b="sound"), Stop()
    night = Occurrence(window="night", day=NOW.date(), opens=NOW, closes=NOW + timedelta(hours=6))
    nothing: Any = None
    gate = Gate(
        inventory=nothing,
        log=nothing,
        look=group.look,
        clock=lambda: NOW,
        stop=stop,
        open_windows={"night": night},
        started_wall=NOW,
        controller="c1",
    )
    here: Any = SimpleNamespace(node="pacs-a", params=SimpleNamespace(window="night"))
    copies = replace(group.new_run(), time_left=gate.time_left)
    stop.ask()
    assert [one.evidence for one in copies.added_to((finding(1),), here, group)] == [{"copy_on_b": "not-asked"}]
    assert group.asked == []


def test_the_advice_says_where_to_fetch_it() -> None:
    """After what is to be done in any case, one clause for each partner."""
    group = Group(b="sound")
    (told,) = group.copies.added_to((finding(1),), HERE, group)
    assert told.advice == "fetch a good copy; b has it just as the index here lists it: fetch it from there"


def test_every_object_gets_its_answer_in_its_turn() -> None:
    """Of 50, 20 a night, the oldest answer first: all within three nights, and each answer is told until the next."""
    group, found = Group(b="sound"), [finding(key) for key in range(1, 51)]
    for night, (answered, waiting) in enumerate(((20, 30), (40, 10), (50, 0), (50, 0))):
        group.now = NOW + timedelta(days=night)
        group.copies = group.new_run()
        told = group.copies.added_to(tuple(found), HERE, group)
        evidence = [one.evidence for one in told]
        assert sum(one["copy_on_b"] in {"good", "sound"} for one in evidence) == answered
        assert sum(one["copy_on_b"] == "waits" for one in evidence) == waiting
        group.recalled = {
            (one.subject, partner): Told(copy, group.now - timedelta(seconds=float(str(ago or 0))))
            for one in told
            for partner, copy, ago in told_in(one.evidence)
        }
    assert {one.at for one in group.recalled.values()} == {NOW + timedelta(days=days) for days in (1, 2, 3)}
    assert (evidence[30]["copy_on_b_seconds_ago"], "b (seen on " in told[30].advice) == (2 * 86400, True)
    assert ("copy_on_b_seconds_ago" in evidence[10], "seen on" in told[10].advice) == (False, False)


def test_a_dry_run_tells_what_is_known_and_asks_nobody() -> None:
    """With its date; of what is not known from another night, nothing, not even that nobody was asked."""
    group = Group(b="sound")
    group.recalled = {("object-1", "b"): Told("good", NOW - timedelta(days=2))}
    copies = RecalledCopies(inventory=group.inventory, recall=lambda _: group.recalled, clock=lambda: NOW)
    known, new, other = copies.added_to((finding(1), finding(2), finding(None)), HERE, group)
    assert known.evidence == {"copy_on_b": "good", "copy_on_b_seconds_ago": 2 * 86400}
    assert f"b (seen on {NOW - timedelta(days=2):%Y-%m-%d}) has it" in known.advice
    assert (new.evidence, other.evidence, group.asked) == ({}, {}, [])


def test_what_was_seen_is_told_when_nobody_can_be_asked() -> None:
    """Also of what a person knows; but not of a damage that was mended since."""
    group = Group(b=None)
    group.recalled = {(f"object-{key}", "b"): Told("good", NOW - timedelta(days=2)) for key in (1, 2, 3)}
    found = [finding(1, good=timedelta(days=3)), finding(2, known=True), finding(3, good=timedelta(days=1))]
    answers = [one.evidence.get("copy_on_b") for one in group.copies.added_to(tuple(found), HERE, group)]
    assert answers == ["good", "good", "not-asked"]
