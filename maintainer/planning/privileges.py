"""Whether what the agent may do on a node and in its database is too little for its work, or more than it needs."""

from collections.abc import Iterator
from importlib.resources import files
from typing import Literal, NamedTuple

from maintainer.model.inventory import Node
from maintainer.model.service import UnitService
from maintainer.model.task import Seen, SqlQuery

ROLE = SqlQuery(text=(files("maintainer.planning") / "sql" / "role.sql").read_text("utf-8"))
_MAINTAIN_SINCE = 170000
_NEVER_NEEDED = frozenset(
    {
        "pg_execute_server_program",
        "pg_read_all_data",
        "pg_read_server_files",
        "pg_write_all_data",
        "pg_write_server_files",
    }
)


class Objection(NamedTuple):
    """`wrong`: work that is asked for will not be done. `warning`: it can be done, but somebody should know."""

    verdict: Literal["warning", "wrong"]
    detail: str
    hint: str


class DatabaseRole(Seen):
    """The one row of `ROLE`. `tables`: those of no system schema; `tables_owned`: by the role or by one it has."""

    version: str
    version_number: int
    role: str
    superuser: bool
    attributes: tuple[str, ...]
    memberships: tuple[str, ...]
    tables: int
    tables_owned: int
    owners: tuple[str, ...]


def of_role(seen: DatabaseRole) -> Iterator[Objection]:
    """Judge the database role."""
    if seen.superuser:
        hint = "make a role of its own: see `maintainer node prepare`"
        yield Objection("warning", f"too wide: {seen.role} is a superuser", hint)
        return
    wide = [*seen.attributes, *sorted(_NEVER_NEEDED & set(seen.memberships))]
    if wide:
        yield Objection("warning", f"too wide: {seen.role} has {', '.join(wide)}", "take from it what it does not need")
    if "pg_read_all_stats" not in seen.memberships:
        yield Objection("wrong", f"missing: {seen.role} sees no other sessions", f"GRANT pg_monitor TO {seen.role}")
    if seen.tables_owned < seen.tables and "pg_maintain" not in seen.memberships:
        of_all = f"{seen.tables - seen.tables_owned} of {seen.tables} tables"
        who = "pg_maintain" if seen.version_number >= _MAINTAIN_SINCE else ", ".join(seen.owners)
        hint = (
            f"GRANT {who} TO {seen.role}" if who else "they belong to a superuser: give them to the archive's own role"
        )
        yield Objection("warning", f"missing: {seen.role} may not vacuum or reindex {of_all}", hint)


def of_account(node: Node, user: str, *, prepared: bool) -> Iterator[Objection]:
    """Judge the account that the program runs as on the node."""
    needs_root = bool(node.services or node.cleanup or node.store or node.reboot)
    if not prepared:
        detail = f"not prepared: runs as {user} whatever this controller sends"
        yield Objection("warning", detail, "see `maintainer node prepare`")
    if user == "root" and not needs_root:
        hint = "take sudo out of [nodes.….ssh]" if node.ssh.sudo else "let it log in as another account"
        yield Objection("warning", "too wide: runs as root, and nothing that is declared needs it", hint)
    units = [service.unit for service in node.services.values() if isinstance(service, UnitService)]
    if user != "root" and (units or node.reboot):
        what = f"restart {units[0]}" if units else "reboot"
        hint = "set sudo = true in [nodes.….ssh], or let a polkit rule of yours allow it"
        yield Objection("warning", f"may be missing: {user} can {what} only by a polkit rule", hint)
