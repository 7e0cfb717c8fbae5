"""Reading the tables and indexes of a node's database, one after the other, for as long as there is time."""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import cast

from pydantic import JsonValue

from maintainer.errors import CouldNotLook, GaveWay
from maintainer.links.node_link import NodeLink
from maintainer.links.postgres_check import SaysNothing
from maintainer.model.plan import CHECKED_AT, DAMAGE, Damage, Measurement, RelationCheck

_LEAST = timedelta(seconds=1)


def check_relations(link: NodeLink, checks: Sequence[RelationCheck], timeout: timedelta) -> dict[str, JsonValue]:
    """Answer how many were read and are damaged, and `measurements`: what goes on record of each.

    What comes after one that gave way, did not end or broke the connection is left for another time, as when a person
    asks to stop: reading changes nothing, and what was found before it must be told.

    Raises:
        GaveWay: the first of them did.
        SaysNothing: the first of them did not end.
        LinkLost: the connection broke over the first of them.
        CouldNotLook: nobody could have watched the first of them, so that it was not sent.
    """
    found: dict[str, tuple[Damage, float]] = {}
    until = time.monotonic() + timeout.total_seconds()
    with link.checking() as session:
        for one in checks:
            left = timedelta(seconds=until - time.monotonic())
            if found and (left < _LEAST or link.stop_asked()):
                break
            try:
                found[one.subject] = (session.check(one.text, left), time.time())
            except (GaveWay, SaysNothing, CouldNotLook):
                if not found:
                    raise
                break
    return _measured(found)


def _measured(found: dict[str, tuple[Damage, float]]) -> dict[str, JsonValue]:
    damages = [damage for damage, _ in found.values()]
    measurements = [
        Measurement(name=name, subject=subject, value=value).model_dump()
        for subject, (damage, at) in found.items()
        for name, value in ((DAMAGE, float(damage)), (CHECKED_AT, round(at, 3)))
    ]
    return {
        "checked": len(found),
        "damaged": sum(damage > 0 for damage in damages),
        "not_checked": damages.count(Damage.NOT_CHECKED),
        "measurements": cast(JsonValue, measurements),
    }
