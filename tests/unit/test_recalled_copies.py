"""What partners said of their copies is found again in the findings on record."""

from datetime import datetime, timedelta
from pathlib import Path

from maintainer.intervention_log.log import InterventionLog
from maintainer.model.finding import Finding, Severity
from maintainer.model.plan import Nothing
from maintainer.model.task import Assignment, Params
from maintainer.planning.copies import Told, with_copies
from maintainer.running.recalled_copies import recall
from maintainer.running.recorder import Recorder
from tests.fakes.fake_fleet import NOW

DAY = timedelta(days=1)


def test_the_newest_answer_of_each_partner_is_recalled(tmp_path: Path) -> None:
    """With the time at which it was had, however often it was told since; of another node, nothing."""
    now = NOW
    log = InterventionLog.open(tmp_path, origin="s", clock=lambda: now)
    here, elsewhere = (
        Assignment(node=node, task="dicom-integrity", params=Params(window="night")) for node in ("a", "b")
    )

    def tell(assignment: Assignment, **copies: Told) -> None:
        damaged = Finding(severity=Severity.CRITICAL, cause="object-size", subject="object-1", advice="look")
        told = Nothing(because="", findings=(with_copies(damaged, copies, now),))
        Recorder(log, "r", "agent", "").decided(assignment, told)

    with log:
        tell(here, b=Told("damaged", now), c=Told("sound", now))
        now += DAY
        tell(here, b=Told("good", now), c=Told("sound", now - DAY), d=Told("not-asked", now))
        now += DAY
        tell(here, b=Told("good", now - DAY), c=Told("waits", now))
        tell(elsewhere, b=Told("damaged", now))
        found = recall(log, here)
    assert {key: told.copy for key, told in found.items()} == {("object-1", "b"): "good", ("object-1", "c"): "sound"}
    assert _days(found["object-1", "b"].at) == 1
    assert _days(found["object-1", "c"].at) == 0


def _days(at: datetime) -> int:
    return round((at - NOW) / DAY)
