"""What else reads, hashes or parses the images of a store: each gives the seconds that it takes for all of them."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

THREADS = 4
"""Bare ones are fastest with two for each of two processors."""

Peer = Callable[[Sequence[Path]], float]

_THREADS = f"""
import hashlib, os, sys, threading, time
os.nice(10)
paths = sys.stdin.read().splitlines()
places = iter(paths)
lock = threading.Lock()
def take():
    with lock:
        return next(places, None)
def run():
    threads = [threading.Thread(target=work) for _ in range({THREADS})]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(time.perf_counter() - began)
"""
_BARE = (
    _THREADS
    + """
def work():
    buffer = memoryview(bytearray(1 << 20))
    for path in iter(take, None):
        hasher = hashlib.sha256()
        with open(path, "rb", 0) as file:
            for count in iter(lambda: file.readinto(buffer), 0):
                hasher.update(buffer[:count])
        hasher.hexdigest()
run()
"""
)
_PYDICOM = (
    _THREADS
    + """
import io, pydicom
def work():
    for path in iter(take, None):
        with open(path, "rb") as file:
            content = file.read()
        for element in pydicom.dcmread(io.BytesIO(content)):
            element.VR
        hashlib.sha256(content).hexdigest()
run()
"""
)


def bare_threads(paths: Sequence[Path]) -> float:
    """Threads that only read and hash, by their own clock."""
    return _python(_BARE, paths, "-I", "-S")


def pydicom_threads(paths: Sequence[Path]) -> float:
    """As many threads that read with pydicom as well, by their own clock."""
    return _python(_PYDICOM, paths)


def sha256sum(paths: Sequence[Path]) -> float:
    return _xargs(paths, "sha256sum")


def dcmftest_and_sha256sum(paths: Sequence[Path]) -> float:
    return _xargs(paths, "dcmftest") + sha256sum(paths)


def has(program: str) -> bool:
    return shutil.which(program) is not None


def _python(source: str, paths: Sequence[Path], *options: str) -> float:
    command = [sys.executable, *options, "-B", "-c", source]
    lines = "".join(f"{path}\n" for path in paths)
    return float(subprocess.run(command, input=lines, stdout=subprocess.PIPE, text=True, check=True).stdout)


def _xargs(paths: Sequence[Path], program: str) -> float:
    """Two at a time, each with a hundred files: nobody starts a process for each file."""
    names = b"".join(b"%s\0" % bytes(path) for path in paths)
    began = time.perf_counter()
    command = ["nice", "xargs", "-0", "-P2", "-n100", program]
    subprocess.run(command, input=names, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began
