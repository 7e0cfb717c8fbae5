"""The set-up of a prepared node, as a script that a sysadmin reads and runs there; nothing here runs it.

Values reach the script as quoted variables at its top, its policy as JSON and the program as base64: nothing that an
inventory holds is ever read by the shell or by psql as theirs.
"""

import base64
import hashlib
import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from ipaddress import ip_address
from textwrap import wrap

from pydantic import JsonValue

from maintainer.errors import UsageError
from maintainer.model import installation
from maintainer.model.inventory import Node
from maintainer.model.values import Value

SUDOERS = "/etc/sudoers.d/maintainer"
MARK = "PACS maintenance, made by maintainer node prepare"
"""By what the undoing knows the account and the role that the set-up made."""
_QUESTION: Mapping[str, JsonValue] = {
    "format": "maintainer.node/2",
    "verb": "observe",
    "deadline_seconds": 10,
    "policy": None,
    "questions": [{"program": "hello", "request": {}}],
}
_ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]{0,31}")  # Source: useradd(8), CAVEATS
_SOURCE = re.compile(r"!?[0-9A-Za-z.:*?/_-]{1,253}")  # Source: ssh_config(5), PATTERNS; sshd(8), from=


class Preparation(Value):
    """Everything that the script needs to know.

    Attributes:
        key: the controller's public key, as `TYPE BASE64`.
        sources: addresses or patterns that the controller comes from.
        tables: those of the archive's index that the integrity check reads.
    """

    name: str
    node: Node
    key: str
    sources: tuple[str, ...]
    policy: Mapping[str, JsonValue]
    program: bytes
    tables: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """Digest of the program."""
        return hashlib.sha256(self.program).hexdigest()

    def set_up(self) -> str:
        """Write the script that prepares the node."""
        blocks = {
            "policy": json.dumps(self.policy, indent=2),
            "sql": _text("role.sql"),
            "program": "\n".join(wrap(base64.b64encode(self.program).decode(), 100)),
        }
        return _render("prepare.sh", self._words() | {"variables": _assignments(self._variables())} | blocks)

    def undoing(self) -> str:
        """Write the script that takes it back."""
        not_wanted = {"python", "sha256", "sudo", "command", "forced", "options", "with_password", "tables", "question"}
        variables = {name: value for name, value in self._variables().items() if name not in not_wanted}
        assignments = _assignments(variables | {"state": installation.STATE})
        blocks = {"variables": assignments, "sql": _text("undo_role.sql")}
        return _render("undo.sh", self._words() | blocks)

    def key_options(self) -> str:
        """What the key may do: come from here, start the program, reach the database.

        Source: sshd(8), "AUTHORIZED_KEYS FILE FORMAT".
        """
        options = ["restrict", f'from="{",".join(self.sources)}"']
        if database := self.node.database:
            host = f"[{database.host}]" if ":" in database.host else database.host
            options += ["port-forwarding", f'permitopen="{host}:{database.port}"']
        return ",".join([*options, f'command="{self._forced}"'])

    @property
    def _forced(self) -> str:
        return f"sudo -n {installation.COMMAND}" if self.node.ssh.sudo else installation.COMMAND

    def _words(self) -> dict[str, str]:
        places = {"policy_file": installation.POLICY, "sudoers_file": SUDOERS, "program_file": installation.PROGRAM}
        return {"node": self.name, **places}

    def _variables(self) -> dict[str, str]:
        database = self.node.database
        return {
            "user": self.node.ssh.user,
            "python": installation.PYTHON,
            "program": installation.PROGRAM,
            "sha256": self.sha256,
            "policy": installation.POLICY,
            "sudo": "yes" if self.node.ssh.sudo else "no",
            "sudoers": SUDOERS,
            "command": installation.COMMAND,
            "forced": self._forced,
            "key": self.key,
            "options": self.key_options(),
            "database_here": "yes" if database and _is_loopback(database.host) else "no",
            "database": database.name if database else "",
            "port": str(database.port) if database else "",
            "role": database.user if database else "",
            "with_password": "yes" if database and database.password else "no",
            "tables": ",".join(self.tables),
            "mark": MARK,
            "by_hand": self._by_hand(),
            "question": json.dumps(_QUESTION, separators=(",", ":")),
        }

    def _by_hand(self) -> str:
        """The command for a database that lies on a machine of its own."""
        if self.node.database is None:
            return ""
        words = {"role": self.node.database.user, "mark": MARK, "tables": ",".join(self.tables)}
        variables = [word for name, value in words.items() for word in ("-v", f"{name}={value}")]
        return shlex.join(["psql", "-X", "-v", "ON_ERROR_STOP=1", *variables, "-d", self.node.database.name])


def check_account(name: str, node: Node) -> None:
    """Refuse what cannot be the account of a prepared node.

    Raises:
        UsageError: it is root, or no name that every system takes.
    """
    user = node.ssh.user
    if user == "root" or not _ACCOUNT.fullmatch(user):
        why = "is root" if user == "root" else "is not a name that useradd and sudoers take"
        raise UsageError(
            f"the account {user} {why}: a prepared node wants an account of its own",
            where=f"nodes.{name}.ssh.user",
            hint='write user = "maintainer"',
        )


def check_sources(sources: Sequence[str]) -> tuple[str, ...]:
    """Refuse what `from=` of authorized_keys would not read as one pattern.

    Raises:
        UsageError: a pattern has other characters, or matches everybody.

    >>> check_sources(["10.0.0.0/24", "maintainer.example.org"])
    ('10.0.0.0/24', 'maintainer.example.org')
    """
    for source in sources:
        if not _SOURCE.fullmatch(source) or not source.strip("!*?."):
            raise UsageError(
                f"{source!r} is no address to come from",
                where="--from",
                hint="write an address, a network such as 10.0.0.0/24, or a host name",
            )
    return tuple(sources)


def index_tables(queries: Iterable[str]) -> tuple[str, ...]:
    r"""Find the tables that queries of an archive's index read.

    >>> index_tables(["-- which\nSELECT a FROM objects JOIN files USING (pk)"])
    ('files', 'objects')
    """
    code = (re.sub("--.*", "", query) for query in queries)
    return tuple(sorted({name for text in code for name in re.findall(r"\b(?:FROM|JOIN)\s+([a-z_][a-z0-9_.]*)", text)}))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _assignments(variables: Mapping[str, str]) -> str:
    return "\n".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())


def _render(template: str, blocks: Mapping[str, str]) -> str:
    """Fill in, in one pass: what a value contains is never itself a place to fill in."""
    return re.sub(r"@([a-z_]+)@", lambda found: blocks[found[1]], _text(template))


def _text(name: str) -> str:
    return (files("maintainer.planning") / "set_up" / name).read_text("utf-8").removesuffix("\n")
