"""A process that reads files as the node does, within 64 MB and by the clock: what breaks it is seen from outside."""

import json
import subprocess
import sys
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

MEGABYTES, SECONDS = 64, 1.0
"""The most that one file may take of memory and of the processor's time."""

_SOURCE = f"""
import json, os, resource, sys, time
sys.path.insert(0, sys.argv[1])
from maintainer.node.object_reading import Reader
from maintainer.node.store import Store

class Endless:
    def passed(self):
        return False

store = Store(sys.argv[2], None)
reader = Reader(store, store.open_top(), Endless())
pages = int(open("/proc/self/statm").read().split()[0])
most = pages * resource.getpagesize() + {MEGABYTES} * 2**20
resource.setrlimit(resource.RLIMIT_AS, (most, most))
for path in sys.stdin:
    began = time.process_time()
    reading = reader.read(path.strip(), ["sha256"])
    took = time.process_time() - began
    print(json.dumps([reading.trouble[0] or reading.unsound(), reading.executable, took]), flush=True)
"""


class Told(NamedTuple):
    """`why` is "" for a sound structure; `seconds` are of the processor."""

    why: str
    executable: str
    seconds: float


class Examiner:
    """Use it in a `with`: it ends with it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        command = [sys.executable, "-I", "-c", _SOURCE, str(Path(__file__).parents[3]), str(folder)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def look(self, content: bytes) -> Told:
        """Write a file and have it read.

        Raises:
            AssertionError: the process came to its end, which no file may bring about.
        """
        (self._folder / "object").write_bytes(content)
        _pipe(self._process.stdin).write("object\n")
        _pipe(self._process.stdin).flush()
        answer = _pipe(self._process.stdout).readline()
        assert answer, "the process that read it broke"
        return Told(*json.loads(answer))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=30)


def _pipe(pipe: IO[Any] | None) -> IO[Any]:
    assert pipe is not None
    return pipe
