"""People at work on a node: the agent is told, keeps off, and says afterwards what is different."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from maintainer.errors import CouldNotLook, LogError, UsageError
from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.record import Fields, Intervention, Kind, Record, write_time
from maintainer.intervention_log.snapshots import Snapshots
from maintainer.model.inventory import Inventory, Site
from maintainer.model.snapshot import Snapshot
from maintainer.model.task import NodeQuery, SqlQuery
from maintainer.model.values import Value
from maintainer.planning.changes import changes
from maintainer.planning.wall_clock import first_instant
from maintainer.running.ports import Look, Observer

LONGEST = timedelta(days=366)
SERVER_VERSION = SqlQuery(text="SELECT current_setting('server_version') AS version")


class Visit(Value):
    """An intervention as it was opened or closed.

    `changes`: what is different since it was opened; None when it is being opened or could not be compared.
    `not_looked`: why there is no snapshot, or none to compare with; empty when there is.
    """

    format: Literal["maintainer.intervention/1"] = "maintainer.intervention/1"
    id: int
    node: str
    intervention: Intervention
    changes: tuple[str, ...] | None = None
    not_looked: str = ""


class _Look(NamedTuple):
    """A snapshot and under which digest it is kept, or why there is none."""

    snapshot: Snapshot | None = None
    digest: str = ""
    why_not: str = ""


@dataclass(frozen=True, kw_only=True)
class Visits:
    """The book in which people sign in and out."""

    log: InterventionLog
    snapshots: Snapshots
    inventory: Inventory
    look: Look
    actor: str
    clock: Callable[[], datetime]

    def open(self, node: str, intervention: Intervention) -> Visit:
        """Note that somebody begins to work on a node; from now on the agent keeps off it.

        Raises:
            UsageError: the time until which it goes on is over already, or more than a year away.
        """
        if not timedelta(0) < intervention.ends - self.clock() <= LONGEST:
            raise UsageError(
                f"--until is {intervention.ends:%Y-%m-%d %H:%M} UTC",
                hint="give the site's local time at which the work ends, from now to a year from now",
            )
        seen = self._look_at(node)
        fields = self._fields(node, intervention, seen, text=_announcement(intervention))
        record = self.log.append(Kind.INTERVENTION_OPENED, **fields)
        return Visit(id=record.seq, node=node, intervention=intervention, not_looked=seen.why_not)

    def close(self, node: str, number: int | None, note: str) -> Visit:
        """Note that the work is over, and what is different since.

        Raises:
            UsageError: there is no such open intervention, or there are several.
        """
        opening, given = self._opening(node, number)
        seen = self._look_at(node)
        found, why_not = self._compare(opening, seen)
        closing = given.model_copy(update={"opened": opening.seq, "note": note})
        fields = self._fields(node, closing, seen, text=_sentence(found))
        self.log.append(Kind.INTERVENTION_CLOSED, **fields)
        return Visit(id=opening.seq, node=node, intervention=closing, changes=found, not_looked=why_not)

    def _fields(self, node: str, intervention: Intervention, seen: _Look, *, text: str) -> Fields:
        fields = Fields(actor=self.actor, node=node, intervention=intervention, text=text, error=seen.why_not)
        return Fields(**fields, measured={"snapshot_sha256": seen.digest}) if seen.digest else fields

    def _opening(self, node: str, number: int | None) -> tuple[Record, Intervention]:
        ends = self.log.open_ends().interventions
        here = {one.seq: (one, one.intervention) for one in ends if one.node == node and one.intervention}
        ids = ", ".join(map(str, here))
        if not here:
            raise UsageError(f"nobody is at work on {node}", hint="`maintainer status` shows who is at work where")
        if number is None and len(here) > 1:
            raise UsageError(f"several interventions are open on {node}", hint=f"add --id with one of {ids}")
        found = here.get(next(iter(here)) if number is None else number)
        if found is None:
            raise UsageError(f"no intervention {number} is open on {node}", hint=f"those are open: {ids}")
        return found

    def _look_at(self, node: str) -> _Look:
        """Take and keep a snapshot. Whoever works there may have the node down, so silence is no reason to refuse."""
        if node not in self.inventory.nodes:
            return _Look(why_not="the node is no longer in the inventory")
        try:
            with self.look(node) as observer:
                asks = self.inventory.nodes[node].database is not None
                taken = take_snapshot(observer, self.clock(), asks_database=asks)
            return _Look(taken, self.snapshots.keep(taken.model_dump_json()))
        except (CouldNotLook, LogError) as error:
            return _Look(why_not=error.said_of(node))

    def _compare(self, opening: Record, seen: _Look) -> tuple[tuple[str, ...] | None, str]:
        digest = opening.measured.get("snapshot_sha256")
        if seen.snapshot is None:
            return None, seen.why_not
        if not isinstance(digest, str):
            return None, f"there is no snapshot of the opening to compare with: {opening.error}"
        try:
            before = Snapshot.model_validate_json(self.snapshots.fetch(digest))
        except (LogError, ValidationError) as error:
            return None, error.said_of("") if isinstance(error, LogError) else "the opening's snapshot cannot be read"
        return changes(before, seen.snapshot), ""


def take_snapshot(observer: Observer, now: datetime, *, asks_database: bool) -> Snapshot:
    """Look at what a person's work may change.

    Raises:
        CouldNotLook: the node did not answer, or not in the expected form.
    """
    answer = observer.observe(NodeQuery(program="snapshot", request={}))
    fields = answer if isinstance(answer, dict) else {}
    try:
        seen = Snapshot.model_validate({**fields, "taken_at": now.astimezone(UTC)})
    except ValidationError:
        raise CouldNotLook("the node's snapshot is not of the expected form", hint="see its version") from None
    return seen.model_copy(update={"postgresql": _server_version(observer)}) if asks_database else seen


def _server_version(observer: Observer) -> str | None:
    try:
        rows: Any = observer.observe(SERVER_VERSION)
    except CouldNotLook:
        return None
    first = rows[0] if rows else None
    return str(first.get("version")) if isinstance(first, dict) else None


def _sentence(found: tuple[str, ...] | None) -> str:
    if found is None:
        return "not compared with how it was before"
    return "; ".join(found) or "nothing that is looked at is different"


def _announcement(one: Intervention) -> str:
    return f"{one.who} of {one.company}, {one.place}, until {one.ends:%Y-%m-%d %H:%M} UTC: {one.scope}"


def announced(
    who: str, company: str, place: Literal["on-site", "remote"], scope: str, *, until: datetime, site: Site
) -> Intervention:
    """Make an intervention of a person's words; `until` is what a clock on the site's wall will show."""
    ends = first_instant(until, ZoneInfo(site.timezone))
    return Intervention(who=who, company=company, place=place, scope=scope, until=write_time(ends))
