"""Reading the tables and indexes of a node's database, one after the other, for as long as there is time."""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import cast

from pydantic import JsonValue

from maintainer.errors import CouldNotLook, GaveWay, LinkLost, MaintainerError
from maintainer.links.node_link import NodeLink
from maintainer.links.postgres_check import CheckingSession, InTrouble, SaysNothing
from maintainer.model.action import CHECKED_AT, DAMAGE, TRIED_AT, Damage, RelationCheck
from maintainer.model.finding import Measurement

_LEAST = timedelta(seconds=1)


def check_relations(link: NodeLink, checks: Sequence[RelationCheck], timeout: timedelta) -> dict[str, JsonValue]:
    """Answer how many were read and are damaged, and `measurements`: what goes on record of each.

    One that gave way, or told nothing in its share of the time, holds up no other. What comes after one that broke the
    connection is left for another time, as when a person asks to stop: reading changes nothing, and what was found
    before it must be told.

    Raises:
        GaveWay, SaysNothing: none told anything, and the first did not for this reason.
        LinkLost, InTrouble: the connection broke, or the server is in trouble, before any told anything.
        CouldNotLook: nobody could have watched the first of them, so that it was not sent.
    """
    reading = _Reading(time.monotonic() + timeout.total_seconds())
    with link.checking() as session:
        for one in checks:
            if reading.is_over() or (reading.has_begun() and link.stop_asked()) or not reading.goes_on(session, one):
                break
    return reading.told()


class _Reading:
    """What has come of it so far."""

    def __init__(self, until: float) -> None:
        self._until = until
        self._found: dict[str, tuple[Damage, float]] = {}
        self._tried: dict[str, float] = {}
        self._why: MaintainerError | None = None
        self._gave_way = 0

    def has_begun(self) -> bool:
        return bool(self._found) or self._why is not None

    def is_over(self) -> bool:
        return self.has_begun() and self._left() < _LEAST

    def _left(self) -> timedelta:
        return timedelta(seconds=self._until - time.monotonic())

    def goes_on(self, session: CheckingSession, one: RelationCheck) -> bool:
        """Check one; answers whether the next can be."""
        first, left = not self.has_begun(), self._left()
        try:
            self._found[one.subject] = (session.check(one.text, min(left, one.timeout)), time.time())
        except GaveWay as error:
            self._gave_way += 1
            self._why = self._why or error
        except SaysNothing as error:
            self._why = self._why or error
            if first or left >= one.timeout:  # else it was the others' fault
                self._tried[one.subject] = time.time()
        except (LinkLost, InTrouble) as error:
            self._why = error
            self._tried[one.subject] = time.time()
            return False
        except CouldNotLook as error:
            self._why = error
            return False
        return True

    def told(self) -> dict[str, JsonValue]:
        if not self._found and self._why is not None:
            self._why.measurements = self._measurements()
            raise self._why
        return {
            "checked": len(self._found),
            "damaged": sum(damage > 0 for damage, _ in self._found.values()),
            "not_checked": len(self._tried),
            "gave_way": self._gave_way,
            "measurements": cast(JsonValue, self._measurements()),
        }

    def _measurements(self) -> list[dict[str, JsonValue]]:
        of_found = [
            Measurement(name=name, subject=subject, value=value)
            for subject, (damage, at) in self._found.items()
            for name, value in ((DAMAGE, float(damage)), (CHECKED_AT, round(at, 3)))
        ]
        of_tried = [
            Measurement(name=TRIED_AT, subject=subject, value=round(at, 3)) for subject, at in self._tried.items()
        ]
        return [one.model_dump() for one in (*of_found, *of_tried)]
