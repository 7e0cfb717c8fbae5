"""Known faults to plant in the practice PACS, so that there is something to find and to do.

A store fault is planted once: when an object is already damaged in that way, it is shown again and no other is touched.
"""

import hashlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from maintainer.errors import MaintainerError, UsageError
from maintainer.practice.layout import Layout
from maintainer.practice.postgres import Postgres
from maintainer.practice.service import Service

DAY = 86400
ORPHAN_AGE = 3  # days
SETTLE = 1.1  # seconds; a scan with a grace of 1 s then takes new files for settled
_SMALLEST = 4096  # bytes, so that a damaged object is still a DICOM file in all but its end


@dataclass(frozen=True)
class Planted:
    """A fault that is there now: its name, what was done in a sentence, and to which file, index or process."""

    name: str
    what: str
    where: str


@dataclass(frozen=True)
class Listed:
    """An object as the index lists it."""

    file: Path
    size: int
    sha256: str

    def condition(self) -> str:
        """Compare the file with the index: intact, missing, truncated or flipped."""
        if not self.file.exists():
            return "missing"
        content = self.file.read_bytes()
        if len(content) != self.size:
            return "truncated"
        return "intact" if hashlib.sha256(content).hexdigest() == self.sha256 else "flipped"


def truncated_object(layout: Layout) -> Planted:
    listed, new = _object(layout, "truncated")
    if new:
        os.truncate(listed.file, listed.size // 2)
    return Planted("truncated-object", f"cut an object of {listed.size} bytes to its first half", str(listed.file))


def flipped_bit(layout: Layout) -> Planted:
    listed, new = _object(layout, "flipped")
    if new:
        _flip_last_bit(listed.file)
    return Planted("flipped-bit", "flipped one bit of an object; its size and times are as before", str(listed.file))


def missing_file(layout: Layout) -> Planted:
    listed, new = _object(layout, "missing")
    if new:
        listed.file.unlink()
    return Planted("missing-file", "removed the file of an object that the index lists", str(listed.file))


def orphan_file(layout: Layout) -> Planted:
    content = next(o.file.read_bytes() for o in _objects(layout) if o.condition() == "intact")
    name = hashlib.sha256(b"orphan").hexdigest()[:40]
    orphan = layout.store / name[:2] / name[2:4] / f"{name}.dcm"
    if not orphan.exists():
        orphan.parent.mkdir(parents=True, exist_ok=True)
        _write_old(orphan, content, ORPHAN_AGE)
    return Planted("orphan-file", "put a DICOM file into the store that the index does not list", str(orphan))


def bloated_index(layout: Layout) -> Planted:
    from maintainer.practice import database  # noqa: PLC0415 (psycopg is slow to import)

    found = database.plant_bloated_index(layout)
    what = f"an index of {found['index_bytes'] / 1e6:.1f} MB is {found['leaf_density_percent']:.0f} % full"
    return Planted("bloated-index", what, "public.send_queue_due")


def dead_rows(layout: Layout) -> Planted:
    from maintainer.practice import database  # noqa: PLC0415 (psycopg is slow to import)

    found = database.plant_dead_rows(layout)
    what = f"deleted {found['deleted_rows']} rows of a table of {found['table_bytes'] / 1e6:.1f} MB"
    return Planted("dead-rows", what, "public.access_log")


def full_spool(layout: Layout) -> Planted:
    """Leave what failed imports and a log rotation that nobody set up would: about 40 MB."""
    block = os.urandom(1024)  # something that no file system stores in less room
    for number in range(300):
        suffix = "part" if number % 3 else "tmp"
        _write_old(layout.spool / f"import-{1000 + number}.{suffix}", block * 128, 2 + number % 60)
    for number in range(12):
        _write_old(layout.logs / f"archive.log.{4 + number}", block * 64, 31 + 7 * number)
    what = "put 300 files of broken-off imports into the spool, and 12 old logs beside the archive's"
    return Planted("full-spool", what, str(layout.spool))


def hung_archive(layout: Layout) -> Planted:
    process = Service(layout, "archive").process()
    if process is None:
        raise MaintainerError("the archive does not run", hint="start it: maintainer practice up")
    process.send(signal.SIGSTOP)
    what = "suspended the archive: its port accepts connections and nothing answers"
    return Planted("hung-archive", what, f"process {process.pid}")


# In the order of `all`: the archive is needed by none of the others, and is hung last.
FAULTS: dict[str, Callable[[Layout], Planted]] = {
    "truncated-object": truncated_object,
    "flipped-bit": flipped_bit,
    "missing-file": missing_file,
    "orphan-file": orphan_file,
    "bloated-index": bloated_index,
    "dead-rows": dead_rows,
    "full-spool": full_spool,
    "hung-archive": hung_archive,
}


def plant(layout: Layout, name: str) -> tuple[Planted, ...]:
    """Plant one fault, or `all`.

    Raises:
        UsageError: no such fault.
        MaintainerError: the database is not up.
    """
    if name != "all" and name not in FAULTS:
        raise UsageError(f"there is no fault named {name}", hint=f"one of: {', '.join(FAULTS)}, all")
    if Postgres(layout).process() is None:
        raise MaintainerError("the practice PACS is not up", hint="start it: maintainer practice up")
    planted = tuple(fault(layout) for key, fault in FAULTS.items() if name in (key, "all"))
    time.sleep(SETTLE)
    return planted


def _object(layout: Layout, condition: str) -> tuple[Listed, bool]:
    """Choose the object to damage: the one that already is, else the first intact one; tell whether it is new."""
    intact = None
    for listed in _objects(layout):
        found = listed.condition()
        if found == condition:
            return listed, False
        if found == "intact" and intact is None:
            intact = listed
    if intact is None:
        raise MaintainerError("no object is left intact", hint="make all anew: maintainer practice up --fresh")
    return intact, True


def _objects(layout: Layout) -> Iterator[Listed]:
    from maintainer.practice import database  # noqa: PLC0415 (psycopg is slow to import)

    with database.session(layout, database.ARCHIVE) as index:
        rows = index.execute("SELECT path, size, sha256 FROM objects WHERE size >= %s ORDER BY pk", [_SMALLEST])
        for path, size, sha256 in rows.fetchall():
            yield Listed(layout.store / path, size, sha256)


def _flip_last_bit(file: Path) -> None:
    """Change one bit near the end, in what is pixel data in nearly every object, as a decaying disk does."""
    before = file.stat()
    with file.open("r+b") as target:
        target.seek(-64, os.SEEK_END)
        byte = target.read(1)[0]
        target.seek(-64, os.SEEK_END)
        target.write(bytes([byte ^ 1]))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def _write_old(file: Path, content: bytes, days: float) -> None:
    file.write_bytes(content)
    then = time.time() - days * DAY
    os.utime(file, (then, then))
