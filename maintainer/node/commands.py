"""Run a declared command: an argument list without a shell, bounded in time and output."""

import os
import select
import signal
import subprocess
import time
from collections import namedtuple

MAX_OUTPUT = 4096
_TO_END_BY_ITSELF = 2.0


class Result(namedtuple("Result", ["status", "output"])):
    """`status` is None when the command did not end in time and was ended."""

    __slots__ = ()


def run(argv, seconds, environment=None, *, keep_output=True):
    """Run to the end of the command itself; what it leaves running lives on and does not hold us.

    The command leads a process group of its own, which is ended when the time is over. Without `keep_output` its output
    goes to /dev/null: a daemon inherits it, and would die of writing to a pipe that nobody reads any more.
    """
    until = time.monotonic() + seconds
    process = subprocess.Popen(  # noqa: S603 (the argument list is the policy's, not the request's)
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if keep_output else subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        cwd="/",
        env=environment,
        start_new_session=True,
    )
    try:
        output = _wait(process, until)
        status = process.poll()
    finally:
        _end(process)
    return Result(status, _readable(output))


def _wait(process, until):
    pipe = process.stdout
    if pipe:
        os.set_blocking(pipe.fileno(), False)
    output, pause = b"", 0.002
    while True:
        ended = process.poll() is not None
        if pipe:
            output = (output + _drain(pipe))[-MAX_OUTPUT:]
        if ended or time.monotonic() >= until:
            return output
        select.select([], [], [], pause)
        pause = min(pause * 1.5, 0.02)


def _drain(pipe):
    chunks = []
    for _ in range(64):
        try:
            chunk = os.read(pipe.fileno(), 65536)
        except BlockingIOError:
            break
        if not chunk:
            break
        chunks.append(chunk[-MAX_OUTPUT:])
    return b"".join(chunks)


def _end(process):
    """End a command that is still running, with its group; both signals go out before its number can be reused."""
    if process.stdout:
        process.stdout.close()
    if process.poll() is not None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        os.killpg(process.pid, number)
        _await_end(process.pid, time.monotonic() + _TO_END_BY_ITSELF)
    process.poll()


def _await_end(pid, until):
    # WNOWAIT leaves the ended process in place, and with it the number of its group.
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None and time.monotonic() < until:
        select.select([], [], [], 0.01)


def _readable(output):
    text = output.decode("utf-8", "replace")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[-400:]
