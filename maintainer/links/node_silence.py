"""Why the program on a node gave no answer, as far as what it left on its error output tells."""

from typing import NamedTuple

from maintainer.links.completed import Completed
from maintainer.links.node_answers import FORMAT
from maintainer.model.installation import PROGRAM

_NO_COMMAND = 127
_NOLOGIN = b"account is currently not available"
_SHELL = "give it a shell that runs commands: usermod --shell /bin/sh"
_ANOTHER = "something else printed: a command= of its line in authorized_keys, or the login shell's start-up files"
_ANEW = "run what `maintainer node prepare NAME` prints on the node again"


class Silence(NamedTuple):
    """`may_have_begun`: it cannot be ruled out that the program did its work before it fell silent."""

    what: str
    hint: str
    may_have_begun: bool = False


def explain(completed: Completed, why: str, *, prepared: bool) -> Silence:
    """Find the sentence. `why` says what is wrong with the output."""
    said = completed.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
    last = "".join(c for line in said for c in line if c.isprintable())[:200]
    never = None if completed.stdout else (_never_prepared if prepared else _never_sent)(completed.status, last)
    if never:
        return never
    if completed.status and _NOLOGIN in completed.stdout:
        return Silence("the node lets this account run nothing: its login shell is nologin", _SHELL)
    if FORMAT.encode() in completed.stdout and not completed.stdout.startswith(b'{"format":'):
        why = "something else wrote to its output"
        hint = "the login shell's start-up files must print nothing when there is no terminal"
    else:
        hint = f"it ended with status {completed.status}" + (f" and said: {last}" if last else "")
        hint += "" if not completed.stdout or completed.stdout.startswith(b"{") else f"; {_ANOTHER}"
    if prepared:
        hint += f". If {PROGRAM} on the node is not what `maintainer node program | sha256sum` says: {_ANEW}"
    return Silence(f"the program on the node gave no answer: {why}", hint, may_have_begun=True)


def _never_sent(status: int, last: str) -> Silence | None:
    if status == _NO_COMMAND and "sudo" in last:
        return Silence("there is no sudo on the node", "install it, or take sudo out of [nodes.NAME.ssh]")
    if status == _NO_COMMAND:
        return Silence("there is no python3 on the node", "install it: 3.6 or newer")
    if last.startswith("sudo:"):
        hint = "run what `maintainer node prepare NAME` prints on the node, or take sudo out of [nodes.NAME.ssh]"
        return Silence(f"sudo on the node said no: {last}", hint)
    if last.startswith("Unknown option:"):
        return Silence("python3 on the node is older than 3.6", "install a newer one")
    return None


def _never_prepared(status: int, last: str) -> Silence | None:
    if status == _NO_COMMAND and "sudo" not in last and "python3" not in last:
        what = "the node is not prepared: this key opens a shell there, not the node's own program"
        hint = "run what `maintainer node prepare NAME` prints on the node, or take prepared out of [nodes.NAME.ssh]"
        return Silence(what, hint)
    if status == _NO_COMMAND or (last.startswith("sudo:") and "command not found" in last):
        return Silence(f"something that the node's own program needs is not there: {last}", f"install it, or {_ANEW}")
    if last.startswith("sudo:"):
        return Silence(f"sudo on the node said no: {last}", _ANEW)
    if "can't open file" in last or "can't find '__main__' module" in last:
        return Silence(f"the node's own program is not there: {last}", _ANEW)
    return None
