"""What the log knows of a task's nights: its rhythm, what it gave back, and when it never pays."""

import datetime as dt
from pathlib import Path

import pytest

from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Kind
from maintainer.model.task import Assignment
from maintainer.planning.wear import NO_GROWTH, NOT_LATELY, TOO_FAR, TOO_FEW
from maintainer.running.trend import Trend, Trends, trends
from tasks.db_reindex import DbReindex, ReindexParams

BEGAN = dt.datetime(2026, 1, 1, 23, tzinfo=dt.UTC)
HERE = Assignment(node="pacs-a", task="db-reindex", params=ReindexParams(window="night"))
TODAY = dt.date(2026, 2, 1)


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
        return trends(log, [HERE], DbReindex(), TODAY)


def measured(
    folder: Path,
    *nights: tuple[float, str, dict[str, float]],
    rebuilt: tuple[int, ...] = (),
    gain: dict[str, float] | None = None,
) -> Trends:
    """Put on record what was measured, each a day, a subject and numbers, and when `i`, or a poor `p`, was rebuilt."""
    now = BEGAN
    ends = [(day, "p" if gain else "i", None) for day in rebuilt]
    with InterventionLog.open(folder, origin="s", clock=lambda: now) as log:
        for day, subject, numbers in sorted([*nights, *ends], key=lambda one: one[0]):
            now = BEGAN + dt.timedelta(days=day)
            where = {"node": "pacs-a", "task": "db-reindex", "subject": subject}
            if numbers is None:
                log.append(Kind.OUTCOME, **where, ending="done", measured={**(gain or {})})
            else:
                log.append(Kind.MEASURED, **where, measured={**numbers})
        return trends(log, [HERE], DbReindex(), TODAY)


def dense(day: float, full: float, build: int = 7, **other: float) -> tuple[float, str, dict[str, float]]:
    return day, "i", {"leaf-density": full, "measured-build": build, "measured-rows": 100, **other}


def grown(day: float, ratio: float, build: int = 7) -> tuple[float, str, dict[str, float]]:
    return day, f"i, build {build}", {"bytes-per-row": ratio}


def foreseen(one: Trend) -> tuple[dt.date | None, int, dt.date | None, str]:
    return one.next_by, one.nights, one.since, one.unforeseen


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
        (one,) = trends(log, [HERE], DbReindex(), TODAY).trends
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


def test_a_node_where_nothing_pays_may_retire_the_task(tmp_path: Path) -> None:
    """One index that pays is enough to keep it."""
    poor = [(day, "poor", "done", 0.05) for day in range(3)]
    assert read(tmp_path / "poor", *poor).retire == ("pacs-a",)
    assert read(tmp_path / "mixed", *poor, (4, "good", "done", 0.5)).retire == ()


def test_what_was_not_tried_yet_may_pay(tmp_path: Path) -> None:
    """Where another index is foreseen to be due, the task does not retire because of one that gives nothing back."""
    poor = {"reclaimed-bytes": 1.0, "reclaimed-share": 0.05}
    ahead = [dense(day, 0.9 - day / 100) for day in (0, 5, 10)]
    (first, second) = (measured(tmp_path / str(len(more)), *more, rebuilt=(1, 2, 3), gain=poor) for more in ((), ahead))
    assert (first.retire, second.retire) == (("pacs-a",), ())


def test_what_was_never_due_is_foreseen_by_what_was_measured(tmp_path: Path) -> None:
    """From 0.9 to 0.8 in ten days: at 0.5 in thirty more. How many nights that rests on, and since when, is told."""
    (one,) = measured(tmp_path, dense(0, 0.9), dense(5, 0.85), dense(10, 0.8)).trends
    assert foreseen(one) == (dt.date(2026, 2, 10), 3, dt.date(2026, 1, 1), "")
    assert (one.done, one.last, one.next_told_by) == (0, None, "measurements")


def test_an_index_that_is_built_half_empty_is_due_later(tmp_path: Path) -> None:
    """With a fillfactor of 0.45 it is due at 0.25, and not at once."""
    nights = [dense(day, 0.45 - day / 100, **{"built-full": 0.45}) for day in (0, 5, 10)]
    (one,) = measured(tmp_path, *nights).trends
    assert one.next_by == dt.date(2026, 1, 21)


@pytest.mark.parametrize(
    ("nights", "why"),
    [
        ([dense(0, 0.9), dense(5, 0.8)], TOO_FEW),
        ([dense(0, 0.9), dense(5, 0.8), dense(5.2, 0.7)], TOO_FEW),
        ([dense(0, 0.8), dense(5, 0.8), dense(10, 0.8)], NO_GROWTH),
        ([dense(0, 0.9), dense(10, 0.899), dense(20, 0.899)], TOO_FAR),
        ([dense(-300, 0.9), dense(-290, 0.8), dense(-280, 0.7)], NOT_LATELY),
        ([dense(0, 0.9, 6), dense(5, 0.8, 6), dense(10, 0.7, 6), dense(11, 0.9), dense(12, 0.89)], TOO_FEW),
    ],
)
def test_what_cannot_be_foreseen_is_only_counted(
    tmp_path: Path, nights: list[tuple[float, str, dict[str, float]]], why: str
) -> None:
    """By why: two measurements of one night are one, and those of an earlier build say nothing."""
    found = measured(tmp_path, *nights)
    assert (found.trends, found.others) == ((), {why: 1})


def test_what_is_due_is_due_since_it_was_measured(tmp_path: Path) -> None:
    """One night is enough for that; what is nearly due is due after it was measured, whatever the line says."""
    (one,) = measured(tmp_path / "due", dense(3, 0.4)).trends
    assert one.next_by == dt.date(2026, 1, 4)
    (one,) = measured(tmp_path / "late", dense(0, 0.9), dense(5, 0.51), dense(10, 0.51)).trends
    assert one.next_by == dt.date(2026, 1, 12)


def test_what_nothing_measures_is_foreseen_by_its_growth(tmp_path: Path) -> None:
    """Over its best ratio, from then on: 20 bytes a row, 22 after ten days; at 40 it is due."""
    nights = [grown(0, 30.0), grown(10, 20.0), grown(15, 21.0), grown(20, 22.0)]
    (one,) = measured(tmp_path, *nights).trends
    assert foreseen(one) == (dt.date(2026, 4, 21), 3, dt.date(2026, 1, 11), "")


def test_growth_counts_for_nothing_where_a_rebuild_gave_nothing_back(tmp_path: Path) -> None:
    """It will not be rebuilt for that; a ratio on record without a build says nothing either."""
    gained = (5, "i", {"reclaimed-share": 0.05})
    without = [(day, "j", {"bytes-per-row": 10.0 + day}) for day in range(3)]
    larger = grown(10, 20.0), grown(15, 21.0), grown(20, 22.0)
    assert measured(tmp_path / "some", *larger).trends != ()
    for nights in ([gained, *larger], without):
        found = measured(tmp_path / str(len(nights)), *nights)
        assert (found.trends, found.others) == ((), {})


def test_what_was_measured_counts_for_more_than_a_rhythm(tmp_path: Path) -> None:
    """It was rebuilt every ten days and has not grown since; before three nights say so, the rhythm stands."""
    new = [dense(21, 0.9, 8), dense(25, 0.9, 8)]
    (one,) = measured(tmp_path / "few", *new, rebuilt=(0, 10, 20)).trends
    assert (one.next_by, one.next_told_by, one.unforeseen) == (dt.date(2026, 1, 31), "rhythm", TOO_FEW)
    (one,) = measured(tmp_path / "enough", *new, dense(29, 0.9, 8), rebuilt=(0, 10, 20)).trends
    assert (one.next_by, one.next_told_by, one.unforeseen) == (None, None, NO_GROWTH)
