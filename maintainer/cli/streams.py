"""stdin, stdout and stderr as the commands need them: open, and unable to end a run in the middle of a step."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

STDERR = 2


def open_all() -> None:
    """Open on /dev/null whatever of the three our caller had closed.

    Else the next file that is opened, such as the intervention log, takes its number, and what a C library tells
    stderr lands in it.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        pass
    os.close(descriptor)
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 (a number, open to the end)
    sys.stdout = sys.stdout or _unheard(1)
    sys.stderr = sys.stderr or _unheard(STDERR)


@contextmanager
def going_on_unheard() -> Iterator[None]:
    """Drop what nobody reads any more: a closed pipe or terminal must not part the stop of a service from its start."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(_patient, before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _patient(stream: TextIO) -> TextIO:
    try:
        descriptor = stream.fileno()
    except OSError:
        return stream  # not a file: it cannot be closed by others
    stream.flush()
    return _unheard(descriptor, encoding=stream.encoding, errors=stream.errors)


def _unheard(descriptor: int, **form: Any) -> TextIO:
    return io.TextIOWrapper(io.BufferedWriter(_Unheard(descriptor, "wb", closefd=False)), write_through=True, **form)


class _Unheard(io.FileIO):
    """A file whose writes cannot fail."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or 0
        except OSError:
            return memoryview(data).nbytes
