"""What the reading of a store costs an archive in service, and whether it keeps to its rate.

    python -m bench.store_service [ROUNDS]

A node of the tests' lab is booted for it (root on Debian) and loaded with CT slices of 526 kB. Its own program reads
them at 50 MB/s at most, while a modality sends and a workstation fetches, one image after the other; in turn with as
many images while nothing is read. Twenty small images a second are less than what the reading gives way to, so that it
goes on; for CT slices sent as fast as it goes it pauses.
"""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from functools import partial
from importlib.resources import files
from itertools import count
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

from bench.lab import on_lab
from bench.node_store import learn
from bench.table import Row, duration, times_of_peer
from maintainer.archives.register import product
from maintainer.links.completed import Completed
from maintainer.links.node_program import NodeProgram, zipapp_bytes
from maintainer.links.store_index import index_of

if TYPE_CHECKING:
    from tests.lab.lab import Lab
    from tests.lab.node import LabNode

ROUNDS = 8
NODE, SLICES, LARGE, SMALL = "pacs-a", 400, 512, 128
RATE, PAUSE_ABOVE, OFF_BY, TARGET = 50_000_000, 1_000_000, 0.05, 1.2
IMAGES, EVERY = 120, 0.05  # of a round; seconds from one small image to the next
WARM_UP = 2.0  # seconds, after which the program reads
NAME = "reading of a store in service"
_BY_STUDY = "1.2.840.10008.5.1.4.1.2.2.3"  # study root query/retrieve information model, GET
_STUDY = "1.2.826.0.1.3680043.8.498.8"
_SINCE = "2026-11-24T22:00:00Z"
_HOLDER = {"controller": "c1", "run": "r1", "who": "bench", "since": _SINCE, "renewed": _SINCE}

Requests = Iterator[Callable[[], None]]


def rows(rounds: int = ROUNDS) -> Iterator[Row]:
    yield from on_lab(NAME, lambda lab: measured(lab, rounds))


def measured(lab: "Lab", rounds: int) -> Iterator[Row]:
    lab.load(SLICES, size=LARGE)
    node = lab.nodes[NODE]
    reading = Reading(node)
    speed = reading.speed()
    target = f"{RATE / 1e6:.0f} MB/s within {OFF_BY:.0%}"
    yield Row("limited reading", f"{speed / 1e6:.1f} MB/s", "", speed / RATE, target, abs(speed / RATE - 1) <= OFF_BY)
    for what, every, clients in (
        ("C-STORE of small images", EVERY, stored(node, SMALL)),
        ("C-GET of small images", EVERY, fetched(node, SMALL)),
        ("C-STORE of CT slices", 0.0, stored(node, LARGE)),
    ):
        with lab.network(), clients as requests:
            during, alone = compared(reading, requests, every, rounds)
        yield times_of_peer(f"{what} while read, p99", during, "not read", alone, at_most=TARGET)


def compared(reading: "Reading", requests: Requests, every: float, rounds: int) -> tuple[float, float]:
    """Give the 99th percentile of the seconds that a request takes while the store is read, and while it is not."""
    during, alone = list[float](), list[float]()
    list(_times(requests, 0.0))
    for number in range(rounds):
        for found in (alone, during) if number % 2 else (during, alone):
            with reading.going_on() if found is during else nullcontext():
                found.extend(_times(requests, every))
    p99 = [quantiles(found, n=100)[98] for found in (during, alone)]
    medians = " and ".join(duration(median(found)) for found in (during, alone))
    print(f"p99 {duration(p99[0])} and {duration(p99[1])}, medians {medians}; {reading.told()}")
    return p99[0], p99[1]


def _times(requests: Requests, every: float) -> Iterator[float]:
    for _ in range(IMAGES):
        request = next(requests)
        began = time.perf_counter()
        request()
        took = time.perf_counter() - began
        yield took
        time.sleep(max(0.0, every - took))


@contextmanager
def stored(node: "LabNode", size: int) -> Iterator[Requests]:
    """Send CT slices that the archive does not have yet."""
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian  # noqa: PLC0415 (see `rows`)
    from pynetdicom import AE  # noqa: PLC0415 (see `rows`)

    from tests.lab.images import ct_slices  # noqa: PLC0415 (see `rows`)

    ae = AE(ae_title="MODALITY")
    ae.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    with _associated(node, ae) as association:

        def send(image: Any) -> None:
            if association.send_c_store(image).get("Status") != 0:
                raise SystemExit("the archive did not take an image")

        yield (partial(send, image) for image in ct_slices(f"{_STUDY}.{size}", 1_000_000, size))


@contextmanager
def fetched(node: "LabNode", size: int) -> Iterator[Requests]:
    """Fetch slices that were sent before, again and again."""
    from pydicom import Dataset  # noqa: PLC0415 (see `rows`)
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian  # noqa: PLC0415 (see `rows`)
    from pynetdicom import AE, build_role, evt  # noqa: PLC0415 (see `rows`)

    ae, came = AE(ae_title="WORKSTATION"), list[str]()
    ae.add_requested_context(_BY_STUDY)
    ae.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)

    def take(event: Any) -> int:
        came.append(event.request.AffectedSOPInstanceUID)
        return 0

    roles = [build_role(CTImageStorage, scp_role=True)]
    with _associated(node, ae, (evt.EVT_C_STORE, take), ext_neg=roles) as association:

        def get(number: int) -> None:
            study, wanted = f"{_STUDY}.{size}", Dataset()
            wanted.QueryRetrieveLevel, wanted.StudyInstanceUID, wanted.SeriesInstanceUID = "IMAGE", study, f"{study}.1"
            wanted.SOPInstanceUID = f"{study}.1.{number % IMAGES + 1}"
            before = len(came)
            for _ in association.send_c_get(wanted, _BY_STUDY):
                pass
            if came[before:] != [wanted.SOPInstanceUID]:
                raise SystemExit("the archive did not send the image that was asked for")

        yield (partial(get, number) for number in count())


@contextmanager
def _associated(node: "LabNode", ae: Any, *handlers: Any, **how: Any) -> Iterator[Any]:
    from pynetdicom import evt  # noqa: PLC0415 (see `rows`)

    from maintainer.links.associations import without_delay  # noqa: PLC0415 (see `rows`)
    from tests.lab.node import AE_TITLE, DICOM_PORT  # noqa: PLC0415 (see `rows`)

    ae.maximum_pdu_size = 0
    prompt = [(evt.EVT_CONN_OPEN, without_delay), (evt.EVT_DATA_SENT, _prompt), (evt.EVT_DATA_RECV, _prompt)]
    association = ae.associate(node.address, DICOM_PORT, ae_title=AE_TITLE, evt_handlers=[*handlers, *prompt], **how)
    if not association.is_established:
        raise SystemExit("the archive refused the association")
    try:
        yield association
    finally:
        association.release()


def _prompt(event: Any) -> None:
    # Without it each answer waits up to 40 ms for our acknowledgement of its first part, read or not.
    event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


class Reading:
    """The node's program over its real store: a ledger that has learnt it once, and is read again and again."""

    def __init__(self, node: "LabNode") -> None:
        from tests.lab.breakages import STORE  # noqa: PLC0415 (see `rows`)
        from tests.lab.guard import STATE  # noqa: PLC0415 (see `rows`)

        self._node = node
        lease = {"format": "maintainer.lease/1", "token": 1, "holder": _HOLDER, "released": None}
        node.write(f"{STATE}/lease.json", json.dumps(lease), mode=0o600)
        policy: dict[str, Any] = {"services": {}, "roots": {}, "store": STORE, "not_objects": []}
        shown: dict[str, Any] = {"controller": "c1", "run": "r1", "token": 1}
        self._program = NodeProgram(node.name, self._run, policy, zipapp_bytes([files("tasks.node")]), lease=shown)
        self._bytes, self._seconds, self._paused = 0, 0.0, 0.0
        self._size = self._learn()

    def speed(self) -> float:
        """Bytes a second of a reading of all of it, by the program's own clock."""
        answer = self._read()
        return float(answer["bytes"] / answer["seconds"])

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Read while the block lasts: something is read when it begins, and nothing any more when it has ended."""
        stop = threading.Event()
        reader = threading.Thread(target=self._read_on, args=(stop,))
        reader.start()
        time.sleep(WARM_UP)
        try:
            yield
        finally:
            stop.set()
            reader.join()

    def told(self) -> str:
        """Say what was read since this was asked last."""
        told = f"{self._bytes / 1e6:.0f} MB were read in {self._seconds:.0f} s, of which it paused {self._paused:.0f} s"
        self._bytes, self._seconds, self._paused = 0, 0.0, 0.0
        return told

    def _read_on(self, stop: threading.Event) -> None:
        while not stop.is_set():
            answer = self._read()
            self._bytes += answer["bytes"]
            self._seconds += answer["seconds"]
            self._paused += answer.get("paused_seconds", 0.0)

    def _read(self) -> Any:
        request: dict[str, Any] = {"bytes": self._size, "rate": RATE, "threads": 1, "walk": False, "grace_seconds": 0}
        request |= {"lost_share": 1.0, "pause": {"port": 4242, "above": PAUSE_ABOVE}}
        return self._program.act("store-read", request, timedelta(minutes=2))

    def _learn(self) -> int:
        """Let it learn what the archive's index lists; answers how many bytes that is."""
        pages = list(index_of(product("orthanc"), self._rows).pages(0, None))
        learn(self._program, pages)
        return sum(row["size"] for _, _, page in pages for row in page)

    def _rows(self, text: str, parameters: dict[str, Any]) -> Any:
        """Ask as the product does, of an index that only the node itself reaches."""
        listed = text % parameters
        found = self._node.sql(f"SELECT coalesce(json_agg(found), '[]') FROM (\n{listed}\n) AS found")  # noqa: S608 (the product's own query)
        return json.loads(found)

    def _run(self, command: str, text: bytes, timeout: timedelta) -> Completed:
        argv = self._node.argv("sh", "-c", command)
        done = subprocess.run(argv, input=text, capture_output=True, timeout=timeout.total_seconds(), check=False)
        return Completed(done.stdout, done.stderr, done.returncode)


if __name__ == "__main__":
    for row in rows(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS):
        print(row)
