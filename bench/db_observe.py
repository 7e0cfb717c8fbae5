"""How long it takes to look at a database of 10,000 tables and 30,000 indexes, and how much memory.

    python -m bench.db_observe [TABLES]

A practice PACS has such a database, and a dry run of all database tasks looks at it: time and memory are those of the
whole command, from its start to its end. Then once more with the extensions by which tables are checked and indexes
measured, as a prepared node has them: the plan has two thousand checks then.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.db_maintenance import TASKS, Site
from bench.table import Row, within

TABLES, SECONDS, MEGABYTES, ROUNDS = 10_000, 3.0, 100.0, 5
MAKE = """
DO $$ BEGIN
    FOR number IN 1..{tables} LOOP
        EXECUTE format('CREATE TABLE t_%s (pk int PRIMARY KEY, study text UNIQUE, series text UNIQUE)', number);
        EXECUTE format('INSERT INTO t_%s VALUES (1, 1, 1)', number);
        IF number % 200 = 0 THEN COMMIT; END IF;
    END LOOP;
END $$
"""
EXTENSIONS = (
    "CREATE EXTENSION amcheck",
    "CREATE EXTENSION pgstattuple",
    "GRANT EXECUTE ON FUNCTION bt_index_check(regclass, boolean), verify_heapam TO maintainer",
)

# The peak of a process counts from that of whoever started it: this one is small.
OBSERVED = """
import resource, subprocess, sys, time
begun = time.perf_counter()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
print(code, time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def looked(site: Site) -> tuple[float, float]:
    """Give the seconds and the megabytes of one dry run."""
    argv = ["plan" if word == "run" else word for word in site.agent(*TASKS)]
    command = [sys.executable, "-I", "-S", "-c", OBSERVED, *argv]
    code, seconds, kilobytes = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    if code not in {"0", "1", "4"}:  # there may be findings, and something in the way
        raise SystemExit(f"{' '.join(argv)} ended with {code}")
    return float(seconds), int(kilobytes) / 1000


def rows(tables: int = TABLES) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder))
        try:
            site.pacs.up()
            site.sql("CREATE DATABASE night OWNER archive", database="postgres")
            site.sql("SET synchronous_commit = off", MAKE.format(tables=tables), "ANALYZE")
            yield from _median(site, f"looking at a database of {tables:,} tables")
            site.sql(*EXTENSIONS)
            yield from _median(site, "… with amcheck and pgstattuple")
        finally:
            site.pacs.down(wipe=True)


def _median(site: Site, what: str) -> Iterator[Row]:
    found = sorted(looked(site) for _ in range(ROUNDS))
    seconds, megabytes = found[len(found) // 2]
    yield within(what, seconds, "s", at_most=SECONDS)
    yield within("… its memory", megabytes, "MB", at_most=MEGABYTES)


if __name__ == "__main__":
    for row in rows(int(sys.argv[1]) if sys.argv[1:] else TABLES):
        print(row)
