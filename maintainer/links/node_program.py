"""Asking the program that runs on a node.

To an unprepared node it is sent along with each request and leaves nothing behind on the node's disk; on a prepared one
it lies already, and only the request travels.
"""

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from pydantic import JsonValue

from maintainer.errors import ActionFailed, CouldNotLook, LinkLost, MaintainerError, NodeHeld, UsageError
from maintainer.links.completed import Completed
from maintainer.links.node_answers import (
    FORMAT,
    MAX_BYTES,
    MAX_DEADLINE_SECONDS,
    Outcome,
    Trouble,
    Undocumented,
    parse,
    parse_all,
)
from maintainer.links.node_bundle import bundle
from maintainer.links.node_silence import explain

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

# The key of a prepared node opens one program, whatever is asked for; where it opens a shell, this is no command.
CALL_PREPARED = "maintainer-node"

VERBS = ("observe", "act")
TO_LAUNCH = timedelta(seconds=35)
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


def programs_in(zipapp: bytes) -> dict[str, tuple[str, ...]]:
    """List the programs that a request can name, by verb."""
    with zipfile.ZipFile(io.BytesIO(zipapp)) as archive:
        modules = [Path(name).stem.replace("_", "-") for name in archive.namelist()]
    return {verb: tuple(sorted(m[len(verb) + 1 :] for m in modules if m.startswith(f"{verb}-"))) for verb in VERBS}


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


class Question(NamedTuple):
    """What one observing program is asked."""

    program: str
    request: dict[str, JsonValue]


class OutOfTime(CouldNotLook):
    """The time of the request was over before this question had its answer."""


class NodeProgram:
    """One node's program. `run` sends a command line and its input, and gives what came out.

    `observe` can reach observing programs only: the node chooses the file by the verb.
    """

    def __init__(
        self,
        node: str,
        run: Run,
        policy: dict[str, JsonValue],
        zipapp: bytes,
        *,
        sudo: bool = False,
        prepared: bool = False,
        lease: dict[str, JsonValue] | None = None,
    ) -> None:
        self._node, self._run, self._policy, self._prepared = node, run, policy, prepared
        self._lease = lease
        self._command = CALL_PREPARED if prepared else BOOTSTRAP_SUDO if sudo else BOOTSTRAP
        self._zipapp = zipapp

    def observe(self, program: str, request: dict[str, JsonValue], timeout: timedelta) -> JsonValue:
        """Ask one observing program.

        Raises:
            CouldNotLook: there was no answer, or none that can be believed.
        """
        (answer,) = self.look([Question(program, request)], timeout)
        if isinstance(answer, CouldNotLook):
            raise answer
        return answer

    def look(self, questions: Sequence[Question], timeout: timedelta) -> list[JsonValue | CouldNotLook]:
        """Ask several observing programs in one request; `timeout` is for all of them together.

        A question that has no answer, or none that can be believed, has its own error in the answer's place.

        Raises:
            CouldNotLook: none of them has an answer.
        """
        asked: list[JsonValue] = [dict(question._asdict()) for question in questions]
        programs = [question.program for question in questions]
        completed = self._send("observe", {"questions": asked}, timeout, looks_by=programs)
        try:
            found = parse_all(completed.stdout, programs)
        except Trouble as trouble:
            raise self._said(trouble) from None
        except ValueError as error:
            self._no_answer(CouldNotLook, CouldNotLook, completed, str(error))
        return [self._seen(outcome, completed) for outcome in found]

    def _seen(self, outcome: Outcome, completed: Completed) -> JsonValue | CouldNotLook:
        if isinstance(outcome, Trouble):
            return self._said(outcome)
        if isinstance(outcome, Undocumented):
            silence = explain(completed, str(outcome), prepared=self._prepared)
            return CouldNotLook(silence.what, where=self._node, hint=silence.hint)
        return outcome

    def _said(self, trouble: Trouble) -> CouldNotLook:
        kind = OutOfTime if trouble.word == "deadline" else CouldNotLook
        return kind(trouble.what, where=self._node, hint=by_name(trouble.hint, self._node))

    def act(self, program: str, request: dict[str, JsonValue], timeout: timedelta) -> JsonValue:
        """Let an acting program do its work.

        Raises:
            NodeHeld: somebody else holds the node.
            ActionFailed: the node said that it did not succeed, or could not begin.
            LinkLost: there was no answer that can be believed, so that it may or may not have happened.
        """
        asked: dict[str, JsonValue] = {"program": program, "request": request}
        return self._acted(self._send("act", asked, timeout), program)

    def launch(
        self, key: str, program: str, request: dict[str, JsonValue], seconds: float, *, wait: float = 0
    ) -> dict[str, Any]:
        """Let an acting program do its work apart from this connection, for so many seconds at most.

        Answers how it stands when it has ended, or after `wait` seconds (20 at most), as `observe_operation.py` does,
        and `launch`: `launched`, or `adopted` where it was before.

        Raises:
            NodeHeld: somebody else holds the node.
            ActionFailed: the node said that it could not begin.
            LinkLost: there was no answer that can be believed, or not in time; launching again is safe.
        """
        asked: dict[str, JsonValue] = {"program": program, "request": request, "launch": key, "wait_seconds": wait}
        completed = self._send("act", asked, TO_LAUNCH, seconds=seconds)
        answer: Any = self._acted(completed, "launch", late=LinkLost)
        return dict(answer)

    def _acted(self, completed: Completed, program: str, late: type[MaintainerError] = ActionFailed) -> JsonValue:
        try:
            return parse(completed.stdout, program)
        except Trouble as trouble:
            if trouble.word == "deadline":
                raise late(trouble.what, where=self._node, hint=by_name(trouble.hint, self._node)) from None
            raise acting_error(self._node, trouble) from None
        except ValueError as error:
            self._no_answer(ActionFailed, LinkLost, completed, str(error))

    def _send(
        self,
        verb: str,
        asked: dict[str, JsonValue],
        timeout: timedelta,
        *,
        seconds: float = 0,
        looks_by: Sequence[str] = (),
    ) -> Completed:
        envelope: dict[str, Any] = {"format": FORMAT, "verb": verb, **asked, "policy": self._policy}
        envelope |= {"deadline_seconds": min(MAX_DEADLINE_SECONDS, seconds or _time_on_node(timeout))}
        envelope |= {"lease": self._lease} if verb == "act" and self._lease else {}
        text = json.dumps(envelope, separators=(",", ":"), allow_nan=False).encode()
        if len(text) > MAX_BYTES:
            raise CouldNotLook("the question is larger than 8 MB", where=self._node, hint="ask for less at once")
        return self._run(self._command, self._program(looks_by) + text, timeout)

    def _program(self, looks_by: Sequence[str]) -> bytes:
        """What goes before a request: for a look, the part that it needs; nothing where the program lies already."""
        if self._prepared:
            return b""
        part = bundle(self._zipapp, looks_by) if looks_by else self._zipapp
        return b"%d\n" % len(part) + part

    def _no_answer(
        self, not_begun: type[MaintainerError], unclear: type[MaintainerError], completed: Completed, why: str
    ) -> NoReturn:
        silence = explain(completed, why, prepared=self._prepared)
        kind = unclear if silence.may_have_begun else not_begun
        raise kind(silence.what, where=self._node, hint=by_name(silence.hint, self._node))


def acting_error(node: str, trouble: Trouble) -> ActionFailed:
    """Turn the node's sentence why something was not done into an error of ours."""
    kind = NodeHeld if trouble.word == "held" else ActionFailed
    return kind(trouble.what, where=node, hint=by_name(trouble.hint, node))


def by_name(hint: str, node: str) -> str:
    """Put the node's name where its program, which does not know it, says NAME.

    >>> by_name("write prepared = true in [nodes.NAME.ssh]", "pacs-a")
    'write prepared = true in [nodes.pacs-a.ssh]'
    """
    return hint.replace("NAME", node)


def _time_on_node(timeout: timedelta) -> float:
    """What the node may take, so that its answer, even that time is over, still arrives within `timeout`."""
    seconds = timeout.total_seconds()
    return round(max(0.5, seconds - min(10.0, max(1.0, seconds / 10))), 3)
