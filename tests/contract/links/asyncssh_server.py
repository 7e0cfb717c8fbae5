"""A small SSH server of another make than OpenSSH, as a process of its own: `asyncssh_server.py SETTINGS.json`.

Prints its port, then serves until it is ended. Runs commands as the user who started it.
"""

import asyncio
import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import asyncssh


class _Server(asyncssh.SSHServer):
    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        del dest_host, dest_port, orig_host, orig_port
        return True


async def _copy(source: Any, sink: Any) -> None:
    with contextlib.suppress(OSError, asyncssh.Error):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()


async def _feed(source: Any, sink: Any) -> None:
    await _copy(source, sink)
    sink.close()


async def _run(process: Any) -> None:
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_shell(process.command, stdin=pipe, stdout=pipe, stderr=pipe)
    # Not process.redirect(): it closes the channel when one output ends while the other still has something to say.
    feeding = asyncio.create_task(_feed(process.stdin, child.stdin))
    await asyncio.gather(_copy(child.stdout, process.stdout), _copy(child.stderr, process.stderr))
    status = await child.wait()
    feeding.cancel()
    if status < 0:
        process.exit_with_signal("KILL")
    else:
        process.exit(status)


async def _serve(settings: dict[str, Any]) -> None:
    server = await asyncssh.create_server(
        _Server, "127.0.0.1", 0, process_factory=_run, encoding=None, line_editor=False, **settings
    )
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(json.loads(Path(sys.argv[1]).read_text("utf-8"))))
