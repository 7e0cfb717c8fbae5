"""A terminal of a given width, at which a command is started and answered."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence

from tests.e2e.driver import STOPPED_WITHIN, Answer, environment

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-7]|9[0-7]|4[0-7]|10[0-7])(?:;\d+)*m")


def at_terminal(
    argv: Sequence[str], *, columns: int, env: Mapping[str, str] | None = None, typed: str = ""
) -> tuple[Answer, str]:
    """Run a command with all three streams on a terminal; answers what it came to, and the same without escapes."""
    keyboard, screen = pty.openpty()
    fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        argv,
        stdin=screen,
        stdout=screen,
        stderr=screen,
        env=environment({"TERM": "xterm-256color", **(env or {})}),
        start_new_session=True,
    )
    os.close(screen)
    os.write(keyboard, typed.encode())
    shown = _read(keyboard, process).decode("utf-8", "replace").replace("\r\n", "\n")
    os.close(keyboard)
    assert "Traceback" not in shown, shown
    return Answer(process.wait(timeout=STOPPED_WITHIN), shown, ""), ESCAPE.sub("", shown)


def _read(keyboard: int, process: "subprocess.Popen[bytes]") -> bytes:
    found, until = b"", time.monotonic() + STOPPED_WITHIN
    while time.monotonic() < until:
        if select.select([keyboard], [], [], 0.1)[0]:
            try:
                found += os.read(keyboard, 65536)
            except OSError:  # the other end is closed
                return found
        elif process.poll() is not None:
            return found
    process.kill()
    raise TimeoutError(found.decode("utf-8", "replace"))
