"""What the log knows of a task's nights: its rhythm, what it gave back, and when it never pays."""

import datetime as dt
from pathlib import Path

from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Kind
from maintainer.model.task import Assignment, Params
from maintainer.running.trend import Trends, trends

BEGAN = dt.datetime(2026, 1, 1, 23, tzinfo=dt.UTC)
HERE = Assignment(node="pacs-a", task="db-reindex", params=Params(window="night"))


def read(folder: Path, *nights: tuple[int, str, str, float | None]) -> Trends:
    """Write endings, each a day, a subject, an ending and the share that was reclaimed, and read their trend."""
    now = BEGAN
    with InterventionLog.open(folder, origin="s", clock=lambda: now) as log:
        for day, subject, ending, share in nights:
            now = BEGAN + dt.timedelta(days=day)
            gain = {} if share is None else {"reclaimed-bytes": 1e6 * share, "reclaimed-share": share}
            measured = {"seconds": 2.5, **gain} if ending == "done" else {}
            where = {"node": "pacs-a", "task": "db-reindex", "subject": subject}
            log.append(Kind.OUTCOME, **where, ending=ending, measured=measured)
        log.append(Kind.OUTCOME, node="pacs-b", task="db-reindex", subject="a", ending="done")
        log.append(Kind.OUTCOME, node="pacs-a", task="db-vacuum", subject="a", ending="done")
        return trends(log, [HERE], "db-reindex")


def test_a_rhythm_and_what_it_gave_back(tmp_path: Path) -> None:
    """Twice in ten days means again in ten; what was not run does not count, what failed does."""
    nights = [(0, "a", "done", 0.9), (5, "a", "not-run", None), (6, "a", "failed", None), (10, "a", "done", 0.5)]
    (one,) = read(tmp_path, *nights).trends
    assert (one.done, one.failed, one.seconds) == (2, 1, 2.5)
    assert (one.reclaimed, one.reclaimed_in_all, one.pays) == (500_000, 1_400_000, True)
    assert one.next_by == dt.date(2026, 1, 21)


def test_the_last_time_is_held_against_what_was_predicted(tmp_path: Path) -> None:
    """As it was told before that step, and not as one would predict it by now; the same with the WAL that it wrote."""
    with InterventionLog.open(tmp_path, origin="s") as log:
        for told in ({"predicted_seconds": 9.0}, {"predicted_seconds": 2.5, "wal_bytes": 700}):
            measured = {"seconds": 3.0, **told}
            log.append(
                Kind.OUTCOME, node="pacs-a", task="db-reindex", subject="a", ending="done", measured={**measured}
            )
        (one,) = trends(log, [HERE], "db-reindex").trends
    assert (one.seconds, one.predicted, one.wal) == (3.0, 2.5, 700)


def test_what_nobody_knows_the_end_of_has_not_failed(tmp_path: Path) -> None:
    """A step whose link was lost may have been done: it is counted by itself."""
    (one,) = read(tmp_path, (0, "a", "unknown", None), (1, "a", "failed", None), (2, "a", "done", 0.5)).trends
    assert (one.done, one.failed, one.unknown) == (1, 1, 1)


def test_what_never_pays_is_told(tmp_path: Path) -> None:
    """Three times in a row less than a tenth; of a subject that gives nothing by its nature nobody can say."""
    poor = [(day, "poor", "done", 0.05) for day in range(3)]
    (first, second) = read(tmp_path, *poor, (4, "plain", "done", None)).trends
    assert [(one.subject, one.pays) for one in (first, second)] == [("plain", None), ("poor", False)]
    assert first.next_by is None
