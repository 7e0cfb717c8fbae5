"""A store of images in a folder, and a node's program that keeps a ledger of it, started as on an unprepared node."""

import hashlib
import io
import json
import os
import subprocess
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from importlib.resources import files
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pydicom
from pydantic import JsonValue
from pydicom.data import get_testdata_file

from maintainer.links.completed import Completed
from maintainer.links.node_program import NodeProgram, zipapp_bytes
from maintainer.links.store_telling import learning

LONG_ENOUGH = timedelta(minutes=3)
_AT_ONCE = 10_000
_SLICES, _SERIES = 500, "10000000"
"""Slices of a series, and what stands for the number of the series."""
_NOW = "2026-11-24T22:00:00Z"
_LEASE: dict[str, JsonValue] = {"controller": "c1", "run": "r1", "token": 1}
_HOLDER = {"controller": "c1", "run": "r1", "who": "bench", "since": _NOW, "renewed": _NOW}


class Image(NamedTuple):
    uid: str
    content: bytes


def ct_slices(rows: int, columns: int) -> Iterator[Image]:
    """Make CT slices of so many pixels, with the elements of a real one, series after series."""
    image = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    image.remove_private_tags()
    image.Rows, image.Columns = rows, columns
    image.PixelData = os.urandom(rows * columns * 2)
    del image.DataSetTrailingPadding
    of_a_series = [_slice(image, place) for place in range(_SLICES)]
    for number in count():
        series, place = divmod(number, _SLICES)
        uid, content = of_a_series[place]
        own = f"{int(_SERIES) + series}"
        content = content.replace(_SERIES.encode(), own.encode())
        yield Image(uid.replace(_SERIES, own), content[:-8] + number.to_bytes(8, "little"))


def _slice(image: pydicom.Dataset, place: int) -> Image:
    """Write a slice of a series: what is said of its place is longer in one and shorter in another."""
    uid = f"1.2.826.0.1.3680043.8.498.{_SERIES}.{place + 1}"
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = uid
    image.InstanceNumber, image.SliceLocation = place + 1, round(-310.0 + 1.25 * place, 2)
    image.ImagePositionPatient = [-158.1, -179.1, image.SliceLocation]
    image.XRayTubeCurrent, image.ContentTime = 90 + place % 40, f"{102030 + place // 25}"
    written = io.BytesIO()
    image.save_as(written)
    return Image(uid, written.getvalue())


def learn(program: NodeProgram, pages: Iterable[tuple[int, int, Sequence[dict[str, Any]]]]) -> None:
    """Tell a node's ledger what an archive's index lists."""
    for after, through, page in pages:
        program.act("store-learn", {**learning("bench", after, through, page), "lost_share": 1.0}, LONG_ENOUGH)


class NodeStore:
    """`paths` are the files of the store, `bytes` is what they hold."""

    def __init__(self, base: Path, images: Iterator[Image], number: int) -> None:
        self.folder, self._home = base / "store", base / "home"
        policy = {"services": {}, "roots": {}, "store": str(self.folder), "not_objects": []}
        self._program = NodeProgram("here", self._run, policy, zipapp_bytes([files("tasks.node")]), lease=_LEASE)
        self._hold()
        self.paths: list[Path] = []
        self.bytes = 0
        self._rows = [self._put(place, next(images)) for place in range(number)]
        os.sync()

    def _hold(self) -> None:
        state = self._home / ".local" / "state" / "maintainer"
        state.mkdir(0o700, parents=True)
        lease = {"format": "maintainer.lease/1", "token": 1, "holder": _HOLDER, "released": None}
        (state / "lease.json").write_text(json.dumps(lease))

    def _put(self, place: int, image: Image) -> dict[str, Any]:
        """Write an image where Orthanc would; answers how an index lists it."""
        name = hashlib.sha256(image.content).hexdigest()
        path = f"{name[:2]}/{name[2:4]}/{uuid.UUID(name[:32])}"
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(image.content)
        self.paths.append(file)
        self.bytes += len(image.content)
        listed = {"key": place + 1, "path": path, "size": len(image.content), "algorithm": "sha256", "digest": name}
        return {**listed, "kind": "dicom", "sop_instance_uid": image.uid}

    def learn(self) -> None:
        """Tell a new ledger what an archive's index would list."""
        for ledger in self._home.rglob("store-ledger.sqlite*"):
            ledger.unlink()
        learn(self._program, self._pages())

    def _pages(self) -> Iterator[tuple[int, int, list[dict[str, Any]]]]:
        for first in range(0, len(self._rows), _AT_ONCE):
            page = self._rows[first : first + _AT_ONCE]
            yield first, first + len(page), page

    def read(self, threads: int) -> float:
        """Read all of it into the ledger, and answer how many seconds that took, by the program's own clock.

        Raises:
            SystemExit: something was left unread, or deviates.
        """
        request: dict[str, JsonValue] = {"bytes": self.bytes, "rate": None, "threads": threads, "walk": False}
        answer: Any = self._program.act("store-read", {**request, "grace_seconds": 0, "lost_share": 1.0}, LONG_ENOUGH)
        seen: Any = self._program.observe("store-ledger", {}, LONG_ENOUGH)
        if answer["objects"] != len(self.paths) or seen["ledger"]["deviations"]:
            raise SystemExit(f"the program did not verify the images: {answer}")
        return float(answer["seconds"])

    def _run(self, command: str, text: bytes, timeout: timedelta) -> Completed:
        done = subprocess.run(
            ["sh", "-c", command],
            input=text,
            capture_output=True,
            timeout=timeout.total_seconds(),
            check=False,
            env={**os.environ, "HOME": str(self._home)},
        )
        return Completed(done.stdout, done.stderr, done.returncode)

    def prepare(self, *, cached: bool) -> None:
        """Bring all of it into the page cache, or take all of it out."""
        for path in self.paths:
            with path.open("rb") as file:
                if cached:
                    file.read()
                else:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@contextmanager
def node_store(images: Iterator[Image], number: int) -> Iterator[NodeStore]:
    with TemporaryDirectory() as folder:
        yield NodeStore(Path(folder), images, number)
