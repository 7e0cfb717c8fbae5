"""How much room there is where tablespaces and WAL lie, and whether more WAL lies there than is meant to.

Source: PostgreSQL manual, "WAL Configuration" and "Disk Full Failure".
"""

from collections.abc import Iterator

from maintainer import sdk
from tasks.reindex_facts import Room
from tasks.settings_facts import Place, SettingsFacts


def findings(facts: SettingsFacts, least: float, *, as_root: bool) -> Iterator[sdk.Finding]:
    """Tell of disks of which less than this share is free, and of those of which nobody knows.

    `as_root`: the node's program runs as root, so that no folder is closed to it.
    """
    for place in facts.places:
        if place.path in facts.room and (tight := _tight(place, facts.room[place.path], facts, least)):
            yield tight
    yield from _unknown([place for place in facts.places if place.path not in facts.room], as_root=as_root)
    yield from _wal(facts)


def _unknown(places: list[Place], *, as_root: bool) -> Iterator[sdk.Finding]:
    out_of_sight = ELSEWHERE if as_root else CLOSED
    for advice, here in (
        (NO_PATH, [one for one in places if not one.path]),
        (out_of_sight, [one for one in places if one.path]),
    ):
        if here:
            yield sdk.Finding(
                severity=sdk.Severity.INFO,
                cause="room-unknown",
                subject="database",
                evidence={"places": ", ".join(place.name for place in here)},
                advice=advice,
            )


def _tight(place: Place, room: Room, facts: SettingsFacts, least: float) -> sdk.Finding | None:
    """WAL grows by itself, up to what is meant to be kept: that must fit, whatever share of the disk it is."""
    share = room.free_bytes / max(1, room.total_bytes)
    grows = sum(max(0, wal.meant_bytes - wal.bytes) for wal in facts.wal) if place.kind == "wal" else 0
    if share >= least and room.free_bytes >= grows:
        return None
    nearly_none = share < ALMOST_FULL or room.free_bytes < grows
    evidence: dict[str, sdk.JsonValue] = {"free_bytes": room.free_bytes, "total_bytes": room.total_bytes}
    return sdk.Finding(
        severity=sdk.Severity.CRITICAL if nearly_none else sdk.Severity.WARNING,
        cause="disk-nearly-full",
        subject="WAL" if place.kind == "wal" else f"tablespace {place.name}",
        evidence=evidence | ({"wal_may_grow_by": grows} if grows else {}),
        advice=WAL_FULL if place.kind == "wal" else TABLESPACE_FULL,
    )


def _wal(facts: SettingsFacts) -> Iterator[sdk.Finding]:
    if not facts.wal:
        yield sdk.Finding(severity=sdk.Severity.INFO, cause="wal-unreadable", subject="WAL", evidence={}, advice=NO_WAL)
    for wal in facts.wal:
        if wal.archiving_fails or wal.bytes > TOO_MUCH * wal.meant_bytes:
            yield sdk.Finding(
                severity=sdk.Severity.WARNING,
                cause="wal-not-archived" if wal.archiving_fails else "wal-grows",
                subject="WAL",
                evidence={"bytes": wal.bytes, "meant_bytes": wal.meant_bytes},
                advice=NOT_ARCHIVED if wal.archiving_fails else GROWS,
            )


ALMOST_FULL = 0.03
TOO_MUCH = 2
NO_PATH = "where the server's own folder is may not be known: GRANT pg_monitor to the role of [nodes.….database]"
NO_WAL = (
    "how much WAL lies there and whether it is archived cannot be told: GRANT pg_monitor to the role of"
    " [nodes.….database]"
)
CLOSED = (
    "cannot tell how much room is left there: the node's user may not enter that folder, which on Debian nobody but the"
    " server may (pg_wal is on the disk of the server's folder, unless it is a link). Set sudo = true in [nodes.….ssh]"
    " and run `maintainer node prepare`: its program may look there then. Where the server is on another machine or in"
    " a container, watch that disk there"
)
ELSEWHERE = (
    "cannot tell how much room is left there: it is no folder of this node, but of another machine or a container"
)
WAL_FULL = "the server stops when it cannot write WAL: make room, and never delete a file in pg_wal"
TABLESPACE_FULL = "make room: what does not fit is refused, and images are not registered"
NOT_ARCHIVED = "WAL stays until it is archived: see why archive_command fails (pg_stat_archiver, the server's log)"
GROWS = "something keeps it: a replication slot, a standby, a slow checkpoint, or an archive that does not keep up"
