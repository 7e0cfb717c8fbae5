"""Workstations that ask an archive ten times a second whether it serves, in a process of their own.

`python -m tests.e2e.probes PORT…` prints one line a look until its stdin ends: port, time, and 1 when it served.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from maintainer.practice.layout import ADDRESS, AE_TITLE
from tests.practice_fixture import Practice

EVERY = 0.1  # seconds

Span = tuple[float, float]
Outages = dict[str, list[Span]]


@contextmanager
def watched(nodes: Mapping[str, Practice]) -> Iterator[Outages]:
    """Watch every archive for as long as the context lasts; afterwards, each node's outages are there to be read."""
    found: Outages = {name: [] for name in nodes}
    ports = {str(practice.ports.dicom): name for name, practice in nodes.items()}
    watcher = subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.probes", *ports],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watcher.stdout is not None
    first = watcher.stdout.readline()
    try:
        yield found
    finally:
        said, _ = watcher.communicate(timeout=30)
    looks = [
        (ports[port], float(at), serves == "1") for port, at, serves in map(str.split, [first, *said.splitlines()])
    ]
    for name in nodes:
        found[name] += _outages([(at, serves) for node, at, serves in looks if node == name])


def overlap(one: list[Span], other: list[Span]) -> list[Span]:
    """List the times at which both were out."""
    both = [(max(a, c), min(b, d)) for a, b in one for c, d in other]
    return [(start, end) for start, end in both if start <= end]


def _outages(looks: list[tuple[float, bool]]) -> list[Span]:
    """From which failed look to which failed look nothing came: each outage was at least so long."""
    runs = [list(run) for serves, run in groupby(looks, key=lambda look: look[1]) if not serves]
    return [(run[0][0], run[-1][0]) for run in runs]


def _serves(port: int) -> bool:
    from pynetdicom import AE  # noqa: PLC0415 (half a second to import, in the watching process alone)

    ae = AE(ae_title="WORKSTATION")
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = ae.connection_timeout = 3
    ae.add_requested_context("1.2.840.10008.1.1")
    association = ae.associate(ADDRESS, port, ae_title=AE_TITLE)
    if not association.is_established:
        return False
    status = association.send_c_echo().get("Status")
    association.release()
    return bool(status == 0)


def _watch(port: int, stop: threading.Event) -> None:
    while not stop.wait(EVERY):
        began = time.monotonic()
        sys.stdout.write(f"{port} {began} {int(_serves(port))}\n")
        sys.stdout.flush()


def main(ports: list[int]) -> None:
    stop = threading.Event()
    threads = [threading.Thread(target=_watch, args=(port, stop)) for port in ports]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]])
