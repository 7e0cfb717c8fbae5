"""Each planted fault is really there, by direct evidence, and a healthy practice PACS has none of them."""

import hashlib
import os
import socket
import time
from pathlib import Path

import psycopg
import pytest

from maintainer.archives import product
from maintainer.errors import MaintainerError, UsageError
from maintainer.practice.faults import FAULTS
from maintainer.practice.layout import ADDRESS
from tests.practice_fixture import Practice

Faulty = dict[str, str]

MEGABYTE = 1_000_000
DEAD_FRACTION = 0.20
LEAF_DENSITY = 50.0


def _database(practice: Practice) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(
        host=ADDRESS,
        port=practice.ports.database,
        dbname="pacs",
        user="maintainer",
        password=practice.layout.database_password.read_text("ascii").strip(),
        autocommit=True,
    )


def _store_faults(practice: Practice) -> Faulty:
    """Compare index and store both ways; answers the path of whatever is wrong → how."""
    with _database(practice) as database:
        listed = database.execute("SELECT path, size, sha256 FROM objects").fetchall()
    found: Faulty = {}
    for path, size, digest in listed:
        file = practice.layout.store / str(path)
        content = file.read_bytes() if file.exists() else None
        if content is None:
            found[str(path)] = "missing"
        elif len(content) != size:
            found[str(path)] = "truncated"
        elif hashlib.sha256(content).hexdigest() != digest:
            found[str(path)] = "flipped"
    known = {str(path) for path, _, _ in listed}
    for file in practice.layout.store.rglob("*"):
        relative = str(file.relative_to(practice.layout.store))
        if file.is_file() and relative not in known:
            found[relative] = "orphan"
    return found


def _tables_with_dead_rows(practice: Practice) -> set[str]:
    with _database(practice) as database:
        rows = database.execute(
            "SELECT relname, n_dead_tup::float8 / greatest(n_dead_tup + n_live_tup, 1) FROM pg_stat_user_tables"
            " WHERE pg_table_size(relid) >= %s",
            [MEGABYTE],
        ).fetchall()
    return {str(name) for name, fraction in rows if float(str(fraction)) >= DEAD_FRACTION}


def _bloated_indexes(practice: Practice) -> set[str]:
    with _database(practice) as database:
        rows = database.execute(
            "SELECT indexrelid::regclass::text, (pgstatindex(indexrelid)).avg_leaf_density FROM pg_stat_user_indexes"
            " WHERE pg_relation_size(indexrelid) >= %s",
            [MEGABYTE],
        ).fetchall()
    return {str(name) for name, density in rows if float(str(density)) < LEAF_DENSITY}


def _old_files(practice: Practice) -> tuple[int, int]:
    """Count what the sample's cleanup rules would take: in the spool, and among the logs."""
    now = time.time()
    layout = practice.layout
    spool = [*layout.spool.glob("*.part"), *layout.spool.glob("*.tmp")]
    return (
        sum(now - file.stat().st_mtime > 86400 for file in spool),
        sum(now - file.stat().st_mtime > 30 * 86400 for file in layout.logs.glob("*.log.*")),
    )


def _all_faults(practice: Practice) -> tuple[Faulty, set[str], set[str], tuple[int, int]]:
    return (
        _store_faults(practice),
        _tables_with_dead_rows(practice),
        _bloated_indexes(practice),
        _old_files(practice),
    )


HEALTHY = ({}, set(), set(), (0, 0))


def test_a_fresh_one_is_healthy(practice: Practice) -> None:
    """A plan has nothing to do, and the statistics that it would read are there."""
    assert _all_faults(practice) == HEALTHY
    with _database(practice) as database:
        assert database.execute("SELECT reltuples FROM pg_class WHERE relname = 'objects'").fetchone() == (116,)


@pytest.mark.parametrize(
    ("fault", "how"),
    [
        ("truncated-object", "truncated"),
        ("flipped-bit", "flipped"),
        ("missing-file", "missing"),
        ("orphan-file", "orphan"),
    ],
)
def test_a_store_fault_hits_one_object_once(shared_practice: Practice, fault: str, how: str) -> None:
    """Planting it again shows the same object, so that a second demo finds no heap of ruins."""
    before = _store_faults(shared_practice)
    (planted,) = shared_practice.break_(fault)
    path = str(Path(planted.where).relative_to(shared_practice.layout.store))
    after = _store_faults(shared_practice)
    assert after == {**before, path: how}
    assert shared_practice.break_(fault) == (planted,)
    assert _store_faults(shared_practice) == after


def test_a_flipped_bit_shows_in_nothing_but_the_digest(shared_practice: Practice) -> None:
    """Size and time of change of content are those of the day on which it was stored."""
    before = {file: file.stat() for file in shared_practice.layout.store.rglob("*.dcm")}
    (planted,) = shared_practice.break_("flipped-bit")
    after = Path(planted.where).stat()
    assert (after.st_size, after.st_mtime_ns) == (
        before[Path(planted.where)].st_size,
        before[Path(planted.where)].st_mtime_ns,
    )


def test_an_orphan_is_old_enough_to_count(shared_practice: Practice) -> None:
    """A file younger than the grace could still be on its way into the index."""
    (planted,) = shared_practice.break_("orphan-file")
    orphan = Path(planted.where)
    assert time.time() - orphan.stat().st_ctime > 1
    assert orphan.read_bytes()[128:132] == b"DICM"


def test_rows_die_in_one_table_and_bloat_no_index(practice: Practice) -> None:
    """After the vacuum that this calls for, nothing is left to do; a rebuild of an index least of all."""
    practice.break_("dead-rows")
    assert _all_faults(practice) == ({}, {"access_log"}, set(), (0, 0))
    with _database(practice) as database:
        database.execute("VACUUM (ANALYZE, TRUNCATE FALSE) access_log")
    assert _all_faults(practice) == HEALTHY


def test_one_index_is_bloated_and_can_be_rebuilt(practice: Practice) -> None:
    """The inventory's role may do it, online, and then nothing is left to do."""
    practice.break_("bloated-index")
    assert _all_faults(practice) == ({}, set(), {"send_queue_due"}, (0, 0))
    with _database(practice) as database:
        database.execute("REINDEX INDEX CONCURRENTLY send_queue_due")
    assert _all_faults(practice) == HEALTHY


def test_a_full_spool_is_real_bytes(practice: Practice) -> None:
    """Hundreds of old files that take the room they claim."""
    practice.break_("full-spool")
    spool, logs = _old_files(practice)
    assert (spool, logs) == (300, 12)
    taken = sum(file.stat().st_blocks * 512 for file in practice.layout.spool.iterdir())
    assert 35 * MEGABYTE < taken < 60 * MEGABYTE


def test_a_hung_archive_accepts_and_never_answers(practice: Practice) -> None:
    """The kernel still completes connections for it, so an open port proves nothing."""
    practice.break_("hung-archive")
    with socket.create_connection((ADDRESS, practice.ports.dicom), timeout=2) as connection:
        connection.settimeout(1)
        connection.sendall(
            b"\x01\x00\x00\x00\x00\x04\x00\x00\x00\x00"
        )  # too short for an A-ASSOCIATE-RQ: an abort is due
        with pytest.raises(TimeoutError):
            connection.recv(1)


def test_all_plants_each_of_them_and_fresh_heals_them(practice: Practice) -> None:
    """An `up` alone repairs nothing in the store: only the agent may find it, and only a person may decide."""
    planted = practice.break_("all")
    assert [one.name for one in planted] == list(FAULTS)
    assert len({one.where for one in planted}) == len(FAULTS)
    store, dead, bloated, old = _all_faults(practice)
    assert sorted(store.values()) == ["flipped", "missing", "orphan", "truncated"]
    assert (dead, bloated, old) == ({"access_log"}, {"send_queue_due"}, (300, 12))
    practice.down()
    practice.up()
    assert _store_faults(practice) == store
    practice.up(fresh=True)
    assert _all_faults(practice) == HEALTHY


def test_all_can_be_planted_twice(practice: Practice) -> None:
    """The second time finds the faults of the first, or adds to them, and damages no further object."""
    practice.break_("all")
    store = _store_faults(practice)
    practice.break_("all")
    assert _all_faults(practice) == (store, {"access_log"}, {"send_queue_due"}, (300, 12))


def test_an_unknown_fault_is_a_usage_error(shared_practice: Practice) -> None:
    """With the list of those that there are."""
    with pytest.raises(UsageError, match="one of: truncated-object, "):
        shared_practice.break_("fire")


def test_a_stopped_pacs_cannot_be_broken(practice: Practice) -> None:
    """The sentence says how to start it."""
    practice.down()
    with pytest.raises(MaintainerError, match="start it: maintainer practice up"):
        practice.break_("all")


def test_the_archives_queries_answer_what_they_promise(shared_practice: Practice) -> None:
    """Keyset pages hold every object once, in order; what is known is told apart from what is not."""
    practice_archive = product("practice")
    seen: list[tuple[object, ...]] = []
    with _database(shared_practice) as database:
        while page := database.execute(
            practice_archive.objects_sql, {"after": seen[-1][0] if seen else 0, "limit": 50}
        ).fetchall():
            assert len(page) <= 50
            seen.extend(page)
        paths = [str(path) for _, path, *_ in seen]
        known = database.execute(practice_archive.known_sql, {"paths": [*paths[:3], "no/such.dcm"]}).fetchall()
        copies = database.execute(practice_archive.copies_sql, {"uids": [seen[-1][-1], "1.2.3"]}).fetchall()
    assert len(set(paths)) == 116
    assert sorted(str(path) for (path,) in known) == sorted(paths[:3])
    key, path, size, algorithm, digest, kind, sop_instance_uid = seen[-1]
    assert copies == [(sop_instance_uid, path, size, algorithm, digest)]
    assert isinstance(key, int)
    assert kind == "dicom"
    file = shared_practice.layout.store / str(path)
    if file.exists():
        assert (size, algorithm) == (os.path.getsize(file), "sha256")  # noqa: PTH202 (as an integer at once)
        assert digest == hashlib.sha256(file.read_bytes()).hexdigest()
