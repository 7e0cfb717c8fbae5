"""Read every table and index again within a time, to see if it is sound; rebuild a damaged index.

A damaged table is told of, and nothing is done to it: what would look like a repair loses rows.

Source: PostgreSQL manual, "amcheck", "Data Checksums", ALTER COLLATION.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from functools import partial

from maintainer import sdk
from tasks import check_findings as tell
from tasks.check_facts import CheckFacts, Relation
from tasks.reindex_facts import ROOM


class CheckParams(sdk.Params):
    check_all_within: sdk.Duration = sdk.Field(
        dt.timedelta(days=30), ge=dt.timedelta(days=1), description="check every table and index again within this time"
    )
    longest_transaction: sdk.Duration = sdk.Field(
        dt.timedelta(minutes=5), description="leave a damaged index as it is while a transaction is older"
    )
    timeout: sdk.TimeLimit = sdk.Field(dt.timedelta(hours=2), description="longest time to rebuild a damaged index")


class DbCheck(sdk.Task[CheckParams, CheckFacts]):
    name = "db-check"
    roles = frozenset({sdk.Role.DATABASE})
    looks_again = True
    params = CheckParams
    facts = CheckFacts

    def observe(self, node: sdk.Node, params: CheckParams) -> Mapping[str, sdk.Question]:
        return {
            "relations": sdk.SqlQuery(text=RELATIONS),
            "functions": sdk.SqlQuery(text=FUNCTIONS),
            "checksums": sdk.SqlQuery(text=CHECKSUMS),
            "collations": sdk.SqlQuery(text=COLLATIONS),
            "default_collation": sdk.SqlQuery(text=DEFAULT, calls="pg_database_collation_actual_version(oid)"),
            "horizon": sdk.HORIZON,
            "server": sdk.SERVER,
            "openings": sdk.Openings(within=params.check_all_within),
            "damage": sdk.Recorded(measurement=sdk.DAMAGE, above=sdk.Damage.NONE),
            "checked_at": sdk.Recorded(measurement=sdk.CHECKED_AT),
            "tried_at": sdk.Recorded(measurement=sdk.TRIED_AT),
        }

    def observe_more(self, node: sdk.Node, params: CheckParams, facts: CheckFacts) -> Mapping[str, sdk.Question]:
        if not any(_is_to_be_rebuilt(one, facts) for one in facts.readable):
            return {}
        if facts.places is None:
            return {"places": sdk.SqlQuery(text=PLACES)}
        return {"room": sdk.Room(paths=tuple(one.path for one in facts.places if one.path))}

    def plan(self, node: sdk.Node, params: CheckParams, facts: CheckFacts) -> sdk.Decision:
        to_be_rebuilt = [one for one in facts.readable if _is_to_be_rebuilt(one, facts)]
        broken = [one for one in to_be_rebuilt if not facts.lacks_room(one)]
        findings = (
            *tell.damaged(facts),
            *tell.not_now(facts),
            *tell.no_room([one for one in to_be_rebuilt if one not in broken]),
            *tell.checksums(facts),
            *tell.collations(facts),
            *tell.not_checked(facts),
            *tell.overdue(facts, params.check_all_within),
            *tell.cannot_tell(facts),
        )
        if not facts.functions_by_name:
            return NO_AMCHECK.model_copy(update={"findings": findings})
        refusal = _not_now(params, facts, self.name) if broken else None
        rebuilds = () if refusal else (one for index in broken for one in _rebuild(index, params, facts))
        due = _due_tonight([one for one in facts.readable if facts.can_check(one)], params, facts)
        steps = (*rebuilds, *(_check(chunk, facts) for chunk in _chunks(due)))
        if steps:
            return sdk.Steps(steps=steps, findings=findings)
        if refusal:
            return refusal.model_copy(update={"findings": findings, "due": tuple(one.subject for one in broken)})
        return sdk.Nothing(because=_said(params, facts), findings=findings)


def _said(params: CheckParams, facts: CheckFacts) -> str:
    every, period = len(facts.relations), sdk.write_duration(params.check_all_within)
    fresh = sum(facts.age(one.subject) <= params.check_all_within for one in facts.relations)
    return f"of {every} tables and indexes, {fresh} were checked within {period}: tonight's share is done"


def _is_to_be_rebuilt(one: Relation, facts: CheckFacts) -> bool:
    """Not where it may have been rebuilt already, and the check after that told nothing."""
    if one.rebuilds is None or facts.told_nothing(one.subject):
        return False
    return facts.is_damaged(one.subject) and facts.table_is_sound(one)


def _not_now(params: CheckParams, facts: CheckFacts, name: str) -> sdk.Refuse | None:
    return (
        sdk.builds_corrupt(facts.server[0])
        or sdk.not_now(facts.server[0], params.longest_transaction, name)
        or sdk.prepared_for_long(facts.horizon, params.longest_transaction, name)
    )


def _rebuild(index: Relation, params: CheckParams, facts: CheckFacts) -> Iterator[sdk.Step]:
    step = partial(sdk.Step, subject=index.subject, reason="it is damaged, and its table is sound")
    yield step(
        title=f"rebuild {index.quoted}",
        action=sdk.Sql(text=f"REINDEX INDEX CONCURRENTLY {index.quoted}", settings=sdk.pace(facts.server[0])),
        risk=sdk.Risk.SLOWER,
        timeout=params.timeout,
        works_on=index.rebuilds,
        room=ROOM * (index.rebuilds or 0),
    )
    yield step(
        title=f"check {index.quoted} once more",
        action=_action([index], facts),
        risk=sdk.Risk.READS,
        timeout=_time(index.size),
        works_on=index.size,
    )


def _due_tonight(checkable: list[Relation], params: CheckParams, facts: CheckFacts) -> list[Relation]:
    """What must be known at once, then the oldest of the others until tonight's share is read."""
    urgent = {one.subject: one for one in checkable if _is_urgent(one, facts)}
    done = [one.size for one in checkable if facts.last_turn(one.subject) >= facts.tonight]
    share = SPARE / max(1, len(facts.openings))
    much = max(LEAST, share * sum(one.size for one in checkable))
    number = max(FEWEST, round(share * len(checkable))) - len(done)
    due = [one for one in checkable if one.subject not in urgent and _is_due(one, params, facts)]
    due.sort(key=lambda one: facts.last_turn(one.subject))
    return [*urgent.values(), *_as_far_as(much, sum(done), due[: max(0, number)])]


def _is_due(one: Relation, params: CheckParams, facts: CheckFacts) -> bool:
    pause = params.check_all_within / 2
    return facts.rested(one.subject) >= (min(pause, WEEK) if facts.told_nothing(one.subject) else pause)


def _as_far_as(much: float, read: int, due: list[Relation]) -> Iterator[Relation]:
    """As many of the first as fit; of those that are larger than a whole share one, which must have its turn.

    It is not counted: where the window is too short for it, it would hold up all others, night after night.
    """
    has_large = False
    for one in due:
        if read >= much:
            return
        if one.size <= much:
            read += one.size
            yield one
        elif not has_large:
            has_large = True
            yield one


def _is_urgent(one: Relation, facts: CheckFacts) -> bool:
    """Damaged last night; the table of an index found damaged; what an update of the system may have spoiled."""
    suspected, rested = facts.suspects.get(one.subject, 0.0), facts.rested(one.subject)
    if facts.last_check(one.subject) < suspected:
        return facts.last_turn(one.subject) < suspected or rested >= NEXT_NIGHT
    if facts.is_damaged(one.subject):
        return rested >= NEXT_NIGHT
    return one.subject in facts.drifting and rested >= WEEK


def _chunks(due: list[Relation]) -> Iterator[list[Relation]]:
    chunk: list[Relation] = []
    for one in due:
        if chunk and (len(chunk) >= MANY or sum(each.size for each in chunk) + one.size > MUCH):
            yield chunk
            chunk = []
        chunk.append(one)
    if chunk:
        yield chunk


def _check(chunk: list[Relation], facts: CheckFacts) -> sdk.Step:
    first, size = chunk[0], sum(one.size for one in chunk)
    what = first.subject if len(chunk) == 1 else f"{first.subject} and {len(chunk) - 1} more"
    # Named by both ends: what gave way in one step may be the first of the next, with others behind it.
    subject = first.subject if len(chunk) == 1 else f"{first.subject} to {chunk[-1].subject}"
    age = facts.age(first.subject)
    return sdk.Step(
        subject=f"check of {subject}",
        title=f"check {what} ({size / 1e6:.1f} MB)",
        reason=f"last checked {age.days} days ago" if facts.last_check(first.subject) else "never checked",
        action=_action(chunk, facts),
        risk=sdk.Risk.READS,
        timeout=min(_time(size), facts.half_a_window),
        works_on=size,
    )


def _action(relations: list[Relation], facts: CheckFacts) -> sdk.CheckRelations:
    checks = (
        sdk.RelationCheck(subject=one.subject, text=facts.statement(one), timeout=_time(one.size)) for one in relations
    )
    return sdk.CheckRelations(checks=tuple(checks))


def _time(size: int) -> dt.timedelta:
    """Time for so many bytes. One of many that never ends takes its own and the two minutes, none of the others'."""
    return dt.timedelta(minutes=2) + dt.timedelta(seconds=round(size / SLOWEST))


LEAST, FEWEST, SPARE = 1_000_000_000, 2000, 1.2
"""Bytes and relations of one night at least; how much more than an even share, for nights that do not take place."""
MANY, MUCH = 500, 4_000_000_000
"""Relations and bytes of one step at most."""
SLOWEST = 10_000_000
"""Bytes a second."""
NEXT_NIGHT, WEEK = dt.timedelta(hours=20), dt.timedelta(days=7)
"""From when on damage is looked at again, however early a night begins; and what told nothing or may be spoiled."""
NO_AMCHECK = sdk.Refuse(
    because="cannot tell whether tables and indexes are sound: amcheck is not there, or may not be called",
    hint=tell.GRANT,
)
CHECKSUMS = sdk.sql_file("tasks", "db_check_checksums.sql")
COLLATIONS = sdk.sql_file("tasks", "db_check_collations.sql")
DEFAULT = sdk.sql_file("tasks", "db_check_default_collation.sql")
FUNCTIONS = sdk.sql_file("tasks", "db_check_functions.sql")
PLACES = sdk.sql_file("tasks", "db_check_places.sql")
RELATIONS = sdk.sql_file("tasks", "db_check_relations.sql")
