"""What pydicom makes of an object's first bytes, said by a process of its own that cannot take more than it is given.

    python -m maintainer.links.dicom_opinion

reads the bytes from its standard input, and prints the name of pydicom's complaint, or nothing.
Source: DICOM PS3.10, 7 (file format).
"""

import io
import logging
import resource
import signal
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

MEMORY, SECONDS, WAIT = 256 << 20, 5, 20.0
"""The most that it takes: bytes beside what pydicom's own code takes, seconds of the processor, and by the clock."""
OUT_OF_TIME, CRASHED = "OutOfTime", "Crashed"
"""Complaints that are none of pydicom's own."""
_PREAMBLE = 132
_SAMPLE_BOUND = 1_000_000


def opinion(data: bytes) -> str:
    """Say what pydicom makes of the first bytes of an object: nothing, or the name of its complaint.

    It is asked in another process, under limits, for these bytes may be there to break who reads them.
    """
    command = [sys.executable, "-P", "-m", "maintainer.links.dicom_opinion"]
    try:
        done = subprocess.run(  # noqa: S603 (our own program)
            command, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=WAIT, check=False
        )
    except subprocess.TimeoutExpired:
        return OUT_OF_TIME
    if done.returncode == -signal.SIGXCPU:
        return OUT_OF_TIME
    said = done.stdout.decode("ascii", "replace")
    return said if done.returncode == 0 and (said.isidentifier() or not said) else CRASHED


def header_opinion(data: bytes) -> str:
    """Say what pydicom makes of the first bytes of an object: nothing, or the name of its complaint.

    That the bytes end before the object does is no complaint. At most 1 MB is looked at, also of what a deflated
    object expands to. The complaint's text is left out: it may hold a patient's name.
    """
    import pydicom  # noqa: PLC0415 (0.4 s to import)

    sample = _Sample(data[:_SAMPLE_BOUND])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pydicom.dcmread(sample, stop_before_pixels=True)
        except _RestIsDeflatedError as deflated:
            return _deflated_opinion(deflated.rest)
        except Exception as error:  # noqa: BLE001 (any complaint is the answer)
            return sample.complaint(error)
    return ""


def _deflated_opinion(rest: bytes) -> str:
    """Expand no more than is looked at: 200 kB may hold 200 MB."""
    from pydicom.filereader import read_dataset  # noqa: PLC0415 (0.4 s to import)

    try:
        sample = _Sample(zlib.decompressobj(-zlib.MAX_WBITS).decompress(rest, _SAMPLE_BOUND))
    except zlib.error:
        return "DeflateError"
    try:
        read_dataset(sample, is_implicit_VR=False, is_little_endian=True)
    except Exception as error:  # noqa: BLE001 (any complaint is the answer)
        return sample.complaint(error)
    return ""


class _RestIsDeflatedError(Exception):
    """pydicom was about to expand the rest, whatever its size."""

    def __init__(self, rest: bytes) -> None:
        super().__init__()
        self.rest = rest


class _Sample(io.BytesIO):
    """The first bytes of a file; asking for more ends the reading, and is then no complaint."""

    _ended = False

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            raise _RestIsDeflatedError(super().read())
        content = super().read(size)
        if len(content) < size and self.tell() > _PREAMBLE:
            self._ended = True
            raise EOFError
        return content

    def complaint(self, error: Exception) -> str:
        return "" if self._ended else type(error).__name__


def _main() -> None:
    import pydicom  # noqa: F401, PLC0415 (what its code takes does not count)

    logging.disable(logging.CRITICAL)  # pydicom logs what it reads, and here that is about patients
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    _limit(resource.RLIMIT_AS, pages * resource.getpagesize() + MEMORY)
    # At the hard limit the kernel kills, and only at one below it says why. Source: setrlimit(2).
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    _limit(resource.RLIMIT_CORE, 0)
    sys.stdout.write(header_opinion(sys.stdin.buffer.read(_SAMPLE_BOUND)))


def _limit(what: int, most: int) -> None:
    resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    _main()
