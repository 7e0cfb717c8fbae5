"""The practice node's SSH server: `python -m maintainer.practice.sshd FOLDER`.

It lets in one user by one key, runs commands as whoever started it, and forwards to the practice database. No
terminal, no shell, no file transfer, no other forwarding.
"""

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import asyncssh

from maintainer.practice.layout import ADDRESS, SSH_USER, Layout, recorded_ports

GRACE = 5.0  # seconds between SIGHUP and SIGKILL for a command whose client is gone

logger = logging.getLogger("sshd")


class Login(asyncssh.SSHServer):
    """One connection: who may come in, and what may be opened."""

    def __init__(self, layout: Layout, running: "set[Command]") -> None:
        self._layout = layout
        self._running = running
        self._database_port = recorded_ports(layout).database

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        # Another user has no keys at all, and is refused after the same exchange as a wrong key.
        if username == SSH_USER:
            self._connection.set_authorized_keys(str(self._layout.authorized_keys))
        return True

    def session_requested(self) -> "Command":
        return Command(self._layout, self._running)

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:  # noqa: ARG002 (asyncssh's signature)
        if (dest_host, dest_port) != (ADDRESS, self._database_port):
            raise asyncssh.ChannelOpenError(
                asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "this server forwards to its database only"
            )
        return True


class Command(asyncssh.SSHServerSession[bytes]):
    """One channel: a command line given to /bin/sh, its three streams, and its ending."""

    def __init__(self, layout: Layout, running: "set[Command]") -> None:
        self._layout = layout
        self._running = running
        self._command = ""
        self._child: asyncio.SubprocessTransport | None = None
        self._early: list[Callable[[], None]] = []  # what came before the child was there, at most one SSH window
        self._gone = False
        self._ended = asyncio.Event()

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self.channel = chan

    def exec_requested(self, command: str) -> bool:
        self._command = command
        return True

    def session_started(self) -> None:
        self._running.add(self)
        self._starting = asyncio.get_running_loop().create_task(self._start())

    async def _start(self) -> None:
        transport, _ = await asyncio.get_running_loop().subprocess_exec(
            lambda: Streams(self),
            "/bin/sh",
            "-c",
            self._command,
            cwd=self._layout.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "HOME": str(self._layout.home)},
        )
        self._child = transport
        if self._gone:  # the client left before the child was there
            await self.hang_up()
            return
        for arrived in self._early:
            arrived()
        self._early.clear()

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:  # noqa: ARG002 (asyncssh's signature)
        if self._child is None:
            self._early.append(lambda: self._write(data))
        else:
            self._write(data)

    def eof_received(self) -> bool:
        if self._child is None:
            self._early.append(self._close_stdin)
        else:
            self._close_stdin()
        return True  # the other direction stays open

    def signal_received(self, signal: str) -> None:
        self._signal(signal)

    def pause_writing(self) -> None:
        for pipe in (self._pipe(1), self._pipe(2)):
            if pipe is not None and not pipe.is_closing():
                cast("asyncio.ReadTransport", pipe).pause_reading()

    def resume_writing(self) -> None:
        for pipe in (self._pipe(1), self._pipe(2)):
            if pipe is not None and not pipe.is_closing():
                cast("asyncio.ReadTransport", pipe).resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncssh's signature)
        self._gone = True
        if self._child is not None and self in self._running:
            self._hanging_up = asyncio.get_running_loop().create_task(self.hang_up())

    def ended(self) -> None:
        """Tell the client how the child ended; called when the child and its streams are all done."""
        self._running.discard(self)
        self._ended.set()
        assert self._child is not None  # noqa: S101 (asyncio calls this after the start only)
        code = self._child.get_returncode() or 0
        if self._gone:
            return
        if code < 0:
            self.channel.exit_with_signal(signal.Signals(-code).name.removeprefix("SIG"))
        else:
            self.channel.exit(code)

    async def hang_up(self) -> None:
        """End a child whose client is gone. What it has put into a session of its own lives on."""
        logger.warning("the client of a running command is gone: the command is ended")
        self._signal("HUP")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), GRACE)
        self._signal("KILL")
        self._running.discard(self)
        if self._child is not None:
            self._child.close()

    def _signal(self, name: str) -> None:
        number = getattr(signal, f"SIG{name}", None)
        if self._child is not None and self in self._running and number is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.get_pid(), number)

    def _write(self, data: bytes) -> None:
        stdin = self._pipe(0)
        if stdin is not None and not stdin.is_closing():
            cast("asyncio.WriteTransport", stdin).write(data)

    def _close_stdin(self) -> None:
        stdin = self._pipe(0)
        if stdin is not None:
            stdin.close()  # what was written before is flushed first

    def _pipe(self, descriptor: int) -> asyncio.BaseTransport | None:
        return self._child.get_pipe_transport(descriptor) if self._child is not None else None


class Streams(asyncio.SubprocessProtocol):
    """What comes out of the child, on its way to the channel."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self._stdin_is_full = False

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._command.channel.write(data, asyncssh.EXTENDED_DATA_STDERR if fd == 2 else None)  # noqa: PLR2004 (stderr)

    def pause_writing(self) -> None:
        self._stdin_is_full = True
        self._command.channel.pause_reading()

    def resume_writing(self) -> None:
        # Not at once: the channel would deliver what it holds from within asyncio's own writing, which then closes the
        # pipe on an end of stream that came along, and loses the bytes that were to be written before it.
        self._stdin_is_full = False
        asyncio.get_running_loop().call_soon(self._read_on)

    def _read_on(self) -> None:
        if not self._stdin_is_full:
            self._command.channel.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's signature)
        self._command.ended()


async def serve(layout: Layout) -> None:
    """Accept connections until SIGTERM; then end what still runs."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    running: set[Command] = set()
    server = await asyncssh.listen(
        ADDRESS,
        recorded_ports(layout).ssh,
        server_factory=lambda: Login(layout, running),
        server_host_keys=[str(layout.host_key)],
        encoding=None,
        allow_pty=False,
        agent_forwarding=False,
        password_auth=False,
        kbdint_auth=False,
        gss_host=None,
        login_timeout=20,
    )
    layout.pid_file("sshd").write_text(f"{os.getpid()}\n", "ascii")
    await stop.wait()
    server.close()
    await asyncio.gather(*(command.hang_up() for command in tuple(running)))
    layout.pid_file("sshd").unlink(missing_ok=True)


def main(folder: str) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("asyncssh").setLevel(logging.WARNING)
    layout = Layout(Path(folder))
    try:
        asyncio.run(serve(layout))
    except OSError as error:
        sys.exit(f"cannot serve on {ADDRESS}:{recorded_ports(layout).ssh}: {error}")


if __name__ == "__main__":
    main(sys.argv[1])
