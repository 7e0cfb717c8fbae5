"""Asking the program that runs on a node: sent along with each request, it leaves nothing behind on the node's disk."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NoReturn

from pydantic import JsonValue

from maintainer.errors import ActionFailed, CouldNotLook, LinkLost, MaintainerError, UsageError
from maintainer.links.completed import Completed
from maintainer.links.node_answers import FORMAT, MAX_BYTES, Trouble, parse

Run = Callable[[str, bytes, timedelta], Completed]

_SOURCE = """\
import json, os, signal, sys
signal.alarm(600)
if sys.version_info < (3, 6):
    what = "python3 is %d.%d here, and 3.6 is needed" % sys.version_info[:2]
    error = {"class": "refused", "what": what, "hint": "install a newer python3 on the node"}
    print(json.dumps({"format": "FORMAT", "ok": False, "error": error}))
    sys.exit()
source = sys.stdin.buffer
archive = source.read(int(source.readline(16)))
mask = os.umask(63)
try:
    held = os.fdopen(os.memfd_create("maintainer"), "wb", 0)
except (AttributeError, OSError):
    import tempfile
    held = tempfile.TemporaryFile()
os.umask(mask)
held.write(archive)
held.flush()
sys.path.insert(0, "/proc/self/fd/%d" % held.fileno())
from maintainer.node.entry import main
main(source)
""".replace("FORMAT", FORMAT)

# -S: neither the node's site-packages nor a broken .pth file of theirs can come between. One line, so that any login
# shell takes it; no quote, backtick or exclamation mark that one of them would read as its own.
_PYTHON = f"python3 -I -S -B -c 'exec({json.dumps(_SOURCE)})'"
BOOTSTRAP = f"exec {_PYTHON}"
BOOTSTRAP_SUDO = f"exec sudo -n {_PYTHON}"

_NO_COMMAND = 127
_EPOCH = (1980, 1, 1, 0, 0, 0)


def zipapp_bytes(extra: Sequence[Path | Traversable]) -> bytes:
    """Build the program: ours and the `observe_*.py`, `act_*.py` and other modules of the given folders.

    The same sources give the same bytes. On the node all given folders are one package, `tasks.node`.

    Raises:
        UsageError: two folders hold a file of the same name.
    """
    members = {"maintainer/__init__.py": b"", "tasks/__init__.py": b"", "tasks/node/__init__.py": b""}
    ours = dict(_modules(files("maintainer.node")))
    members |= {f"maintainer/node/{name}": text for name, text in ours.items()}
    members["__main__.py"] = ours["__main__.py"]
    for folder in extra:
        for name, text in _modules(folder):
            path = f"tasks/node/{name}"
            if name == "__init__.py":
                continue
            if path in members or name in ours:
                raise UsageError(
                    f"two programs for the node are both called {name}",
                    where=str(folder),
                    hint="uninstall one of the packages that bring tasks",
                )
            members[path] = text
    return _zip(members)


def _modules(folder: Path | Traversable) -> Iterator[tuple[str, bytes]]:
    for file in folder.iterdir():
        if file.is_file() and file.name.endswith(".py"):
            yield file.name, file.read_bytes()


def _zip(members: dict[str, bytes]) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for path in sorted(members):
            info = zipfile.ZipInfo(path, _EPOCH)
            info.create_system, info.external_attr = 3, 0o100644 << 16
            archive.writestr(info, members[path], zipfile.ZIP_DEFLATED, compresslevel=9)
    return raw.getvalue()


class NodeProgram:
    """One node's program. `run` sends a command line and its input, and gives what came out.

    `observe` can reach observing programs only: the node chooses the file by the verb.
    """

    def __init__(self, node: str, run: Run, policy: dict[str, JsonValue], zipapp: bytes, *, sudo: bool = False) -> None:
        self._node, self._run, self._policy, self._zipapp, self._sudo = node, run, policy, zipapp, sudo

    def observe(self, program: str, request: dict[str, JsonValue], timeout: timedelta) -> JsonValue:
        """Ask an observing program.

        Raises:
            CouldNotLook: there was no answer, or none that can be believed.
        """
        completed = self._send("observe", program, request, timeout)
        try:
            return parse(completed.stdout, program)
        except Trouble as trouble:
            raise self._error(CouldNotLook, trouble) from None
        except ValueError as error:
            self._no_answer(CouldNotLook, CouldNotLook, completed, str(error))

    def act(self, program: str, request: dict[str, JsonValue], timeout: timedelta) -> JsonValue:
        """Let an acting program do its work.

        Raises:
            ActionFailed: the node said that it did not succeed, or could not begin.
            LinkLost: there was no answer that can be believed, so that it may or may not have happened.
        """
        completed = self._send("act", program, request, timeout)
        try:
            return parse(completed.stdout, program)
        except Trouble as trouble:
            raise self._error(ActionFailed, trouble) from None
        except ValueError as error:
            self._no_answer(ActionFailed, LinkLost, completed, str(error))

    def _send(self, verb: str, program: str, request: dict[str, JsonValue], timeout: timedelta) -> Completed:
        envelope: dict[str, Any] = {"format": FORMAT, "verb": verb, "program": program}
        envelope |= {"deadline_seconds": _time_on_node(timeout), "policy": self._policy, "request": request}
        text = json.dumps(envelope, separators=(",", ":"), allow_nan=False).encode()
        if len(text) > MAX_BYTES:
            raise CouldNotLook("the question is larger than 8 MB", where=self._node, hint="ask for less at once")
        command = BOOTSTRAP_SUDO if self._sudo else BOOTSTRAP
        return self._run(command, b"%d\n" % len(self._zipapp) + self._zipapp + text, timeout)

    def _error(self, kind: type[MaintainerError], trouble: Trouble) -> MaintainerError:
        return kind(trouble.what, where=self._node, hint=trouble.hint)

    def _no_answer(
        self, not_begun: type[MaintainerError], unclear: type[MaintainerError], completed: Completed, why: str
    ) -> NoReturn:
        said = completed.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        last = "".join(c for line in said for c in line if c.isprintable())[:200]
        if completed.status == _NO_COMMAND:
            raise not_begun("there is no python3 on the node", where=self._node, hint="install it: 3.6 or newer")
        if not completed.stdout and last.startswith("sudo:"):
            hint = "allow this user to run python3 by `sudo -n`, or set sudo = false in [nodes.NAME.ssh]"
            raise not_begun(f"sudo on the node said no: {last}", where=self._node, hint=hint)
        if not completed.stdout and last.startswith("Unknown option:"):
            raise not_begun("python3 on the node is older than 3.6", where=self._node, hint="install a newer one")
        if FORMAT.encode() in completed.stdout and not completed.stdout.startswith(b'{"format":'):
            why = "something else wrote to its output"
            hint = "the login shell's start-up files must print nothing when there is no terminal"
        else:
            hint = f"it ended with status {completed.status}" + (f" and said: {last}" if last else "")
        raise unclear(f"the program on the node gave no answer: {why}", where=self._node, hint=hint)


def _time_on_node(timeout: timedelta) -> float:
    """What the node may take, so that its answer, even that time is over, still arrives within `timeout`."""
    seconds = timeout.total_seconds()
    return round(max(0.5, seconds - min(10.0, max(1.0, seconds / 10))), 3)
