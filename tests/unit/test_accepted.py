"""What a person accepts as it is: where that can be done, and what the reading is told of it."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from maintainer.errors import UsageError
from maintainer.model.action import AsFound, NodeOperation, VerifyStore
from maintainer.model.action import effect as effect_of
from maintainer.model.finding import Acknowledged, Finding, Severity
from maintainer.model.plan import Nothing, Risk, Step, Steps
from maintainer.running.accepted import check_acceptable, with_accepted

NIGHT = VerifyStore(night="n", quota=1, rate=None, threads=1, pause_above=1, grace=timedelta(days=1), lost_share=0.01)
OTHER = NodeOperation(program="clean", request={})


def finding(
    key: int | None, *, accepted: bool | None, cause: str = "object-missing", sha256: str | None = None
) -> Finding:
    word = None if accepted is None else Acknowledged(who="x", at=datetime.now(UTC), why="y", accepted=accepted)
    severity = Severity.CRITICAL
    evidence: dict[str, Any] = {"sha256": sha256} if sha256 else {}
    return Finding(
        severity=severity,
        cause=cause,
        subject="object-1",
        evidence=evidence,
        advice="",
        indexed_as=key,
        acknowledged=word,
    )


def step(action: Any) -> Step:
    return Step(subject="store", title="", reason="", action=action, risk=Risk.READS, timeout=timedelta(minutes=1))


def test_the_reading_is_told_what_was_accepted() -> None:
    """As it was seen; what is only acknowledged, or has no key, is not. What was approved stays what it was."""
    found = [
        finding(1, accepted=True, cause="object-size", sha256="aa"),
        finding(2, accepted=False),
        finding(3, accepted=None),
    ]
    steps = Steps(steps=(step(OTHER), step(NIGHT)))
    told: Any = with_accepted(steps, [*found, finding(None, accepted=True), finding(9, accepted=True)])
    accepted = (AsFound(key=1, verdict="size", sha256="aa"), AsFound(key=9, verdict="missing", sha256=None))
    assert [one.action for one in told.steps] == [OTHER, NIGHT.model_copy(update={"accepted": accepted})]
    assert effect_of(told.steps[1].action) == effect_of(NIGHT)
    assert with_accepted(steps, found[1:]) is steps
    nothing = Nothing(because="it rests")
    assert with_accepted(nothing, found) is nothing


def about(archive: str, cause: str, sha256: str | None = None) -> tuple[Any, Any]:
    nodes = {"a": SimpleNamespace(store=SimpleNamespace(archive=archive))}
    found = finding(1, accepted=None, cause=cause, sha256=sha256)
    return SimpleNamespace(nodes=nodes), [SimpleNamespace(node="a", finding=found)]


@pytest.mark.parametrize(
    ("cause", "sha256"), [("missing", None), ("size", "aa"), ("bit-rot", "aa"), ("modified", "aa")]
)
def test_what_differs_from_how_it_was_can_be_accepted_in_a_tree(cause: str, sha256: str | None) -> None:
    """Nobody else could say that it is as it should be."""
    check_acceptable(*about("tree", f"object-{cause}", sha256))


@pytest.mark.parametrize(
    ("archive", "cause", "why"),
    [
        ("practice", "missing", "the archive's index on a says what object-1 should be"),
        ("tree", "executable-preamble", "would be found again"),
        ("tree", "header", "would be found again"),
        ("tree", "unreadable", "nobody could read what object-1 has become"),
        ("tree", "modified", "which content object-1 has was not told yet"),
    ],
)
def test_what_would_be_found_again_cannot(archive: str, cause: str, why: str) -> None:
    """An index would bring it back, and so would the next look at its structure."""
    with pytest.raises(UsageError, match=why):
        check_acceptable(*about(archive, f"object-{cause}"))
