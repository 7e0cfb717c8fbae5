"""What was found, as people read it."""

from maintainer.cli.plan_view import evidence_of
from maintainer.model.finding import Finding, Severity


def test_when_something_was_is_said_as_people_would() -> None:
    """In days for what is a month old, and not in millions of seconds; words and numbers stay what they are."""
    found = Finding(
        severity=Severity.CRITICAL,
        cause="object-size",
        subject="object-1",
        evidence={
            "expected": 744,
            "last_good_seconds_ago": 2_629_135,
            "copy_on_pacs-b": "good",
            "copy_on_pacs-b_seconds_ago": 5400.0,
            "modified_seconds_ago": None,
        },
        advice="look",
    )
    assert [*evidence_of(found)] == [
        "expected 744",
        "last good 30 days ago",
        "copy on pacs-b good",
        "copy on pacs-b 90 min ago",
        "modified seconds ago None",
    ]
