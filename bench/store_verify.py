"""How fast a node's own program verifies images, beside threads that read and hash the same files and know nothing.

    python -m bench.store_verify [IMAGES]

The program is started as on a node that is not prepared. It hashes with SHA-256, reads each image's structure and tells
what deviates; the bare threads, as many and as gentle, only read and hash. The files are in the page cache for both.
"""

import hashlib
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Any

import pydicom
from pydantic import JsonValue
from pydicom.data import get_testdata_file

from bench.table import Row
from maintainer.links.completed import Completed
from maintainer.links.node_program import NodeProgram, zipapp_bytes

IMAGES, ROUNDS = 1_000, 7
TARGET = 0.9  # times the rate of the bare threads
EDGE = 512  # pixels of a CT slice
LONG_ENOUGH = timedelta(minutes=2)
BARE = """
import hashlib, os, sys, threading
os.nice(10)
paths = iter(sys.stdin.read().splitlines())
lock = threading.Lock()
def take():
    with lock:
        return next(paths, None)
def work():
    buffer = memoryview(bytearray(1 << 20))
    for path in iter(take, None):
        hasher = hashlib.sha256()
        with open(path, "rb", 0) as file:
            for count in iter(lambda: file.readinto(buffer), 0):
                hasher.update(buffer[:count])
        hasher.hexdigest()
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""

Indexed = list[JsonValue]


def rows() -> Iterator[Row]:
    ours, bare, ratio = measure(IMAGES)
    target = f"at least {TARGET:g} x its rate"
    yield Row(
        "store: images verified", f"{ours:.0f} MB/s", f"bare hashlib {bare:.0f} MB/s", ratio, target, ratio >= TARGET
    )


def measure(images: int) -> tuple[float, float, float]:
    """Give the megabytes a second by the program and by the bare threads, and the former as a part of the latter."""
    with tempfile.TemporaryDirectory() as name:
        store = Path(name)
        objects = [_put(store, number, image) for number, image in zip(range(images), _images(), strict=False)]
        megabytes = sum(path.stat().st_size for path in store.iterdir()) / 1e6
        pairs = [(_ours(store, objects), _bare(store)) for _ in range(ROUNDS)]
    ours, bare = (megabytes / median(times) for times in zip(*pairs, strict=True))
    return ours, bare, median(theirs / own for own, theirs in pairs)


def _images() -> Iterator[bytes]:
    """Make CT slices that differ in their last pixels."""
    image = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    image.Rows = image.Columns = EDGE
    image.PixelData = os.urandom(EDGE * EDGE * 2)
    image.DataSetTrailingPadding = bytes(126)
    written = io.BytesIO()
    image.save_as(written)
    for number in range(sys.maxsize):
        yield written.getvalue()[:-8] + number.to_bytes(8, "little")


def _put(store: Path, number: int, image: bytes) -> Indexed:
    (store / str(number)).write_bytes(image)
    return [number, str(number), len(image), "sha256", hashlib.sha256(image).hexdigest(), "dicom"]


def _ours(store: Path, objects: list[Indexed]) -> float:
    policy: dict[str, Any] = {"services": {}, "roots": {}, "store": str(store), "not_objects": []}
    program = NodeProgram("here", _here, policy, zipapp_bytes([files("tasks.node")]))
    _read_all(store)  # the program asks the kernel to forget what it has read
    begun = time.perf_counter()
    answer: Any = program.observe("store-verify", {"objects": [*objects]}, LONG_ENOUGH)
    took = time.perf_counter() - begun
    if answer["checked"] != len(objects) or answer["deviations"]:
        raise SystemExit(f"the program did not verify the images: {answer}")
    return took


def _here(command: str, text: bytes, timeout: timedelta) -> Completed:
    done = subprocess.run(
        ["sh", "-c", command], input=text, capture_output=True, timeout=timeout.total_seconds(), check=False
    )
    return Completed(done.stdout, done.stderr, done.returncode)


def _bare(store: Path) -> float:
    paths = "".join(f"{path}\n" for path in store.iterdir())
    _read_all(store)
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-I", "-S", "-B", "-c", BARE], input=paths.encode(), check=True)
    return time.perf_counter() - begun


def _read_all(store: Path) -> None:
    for path in store.iterdir():
        path.read_bytes()


if __name__ == "__main__":
    ours_, bare_, ratio_ = measure(int(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
    print(f"verified {ours_:.0f} MB/s, bare hashlib {bare_:.0f} MB/s: {ratio_:.2f} x its rate")
