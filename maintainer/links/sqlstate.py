"""What a database error is called in words that hold no data.

The text of a PostgreSQL error may repeat values of rows, and rows here are about patients: so of an error only its
SQLSTATE, class, and the names of relation and constraint are ever passed on.
Source: PostgreSQL manual, appendix A "PostgreSQL Error Codes"; 54.7 "Message Formats".
"""

from maintainer.model.inventory import Database

LOCK_NOT_AVAILABLE = "55P03"

SENTENCES = {
    "28P01": (
        "the password of user {user} is wrong, or there is no such role",
        "correct nodes.{node}.database.password, or the user beside it",
    ),
    "28000": ("user {user} may not log in this way", "see pg_hba.conf on the node, and whether the role exists"),
    "3D000": ("there is no database {database}", "correct nodes.{node}.database.name"),
    "42501": ("user {user} lacks a privilege for this", "grant it: the statement's header line says which"),
    "42P01": (
        "a table that this needs is not there",
        "is {database} the archive's database, and of its usual version?",
    ),
    "42703": ("a column that this needs is not there", "is the archive, or PostgreSQL, of a supported version?"),
    "25006": (
        "the server takes no writes: it is a standby, or the session may only read",
        "was there a failover? if not, this is a mistake in the task: report it",
    ),
    "42601": ("the statement is not valid SQL for this server", "is PostgreSQL of a supported version?"),
    LOCK_NOT_AVAILABLE: ("a lock was not to be had in time", "another session uses the table: see pg_locks"),
    "57014": ("the statement was cancelled, by its time limit or by somebody", "it may need a longer timeout"),
    "57P01": (
        "the session was ended by an administrator, or because the server is being shut down",
        "see its log on the node",
    ),
    "57P02": ("the database server crashed and restarts", "see its log on the node"),
    "57P03": ("the database server is starting up or shutting down", "wait, and see its log on the node"),
    "57P05": ("the session was idle for too long", "try again"),
    "53300": ("the database server has no free connection", "see max_connections and who holds them: pg_stat_activity"),
    "53100": ("the database server's disk is full", "make room on the node before anything else"),
    "53200": ("the database server is out of memory", "see its log on the node"),
    "40P01": ("the statement was ended to resolve a deadlock", "try again when less is going on"),
    "23505": ("a unique constraint does not hold", "the index or its table is damaged or holds duplicates: look first"),
    "XX001": ("a data page is damaged", "stop writing to this database; restore from backup or failover"),
    "XX002": ("an index is damaged", "amcheck tells which; it can be rebuilt from its table"),
    "58030": ("the server met an I/O error", "the disk or its filesystem fails: see the kernel's log on the node"),
}
"""SQLSTATE → what happened, what to do."""


def sentence(code: str, node: str, database: Database, kind: str = "") -> tuple[str, str]:
    """Say what happened and what to do.

    >>> sentence("XX999", "pacs-a", Database(name="pacs", user="maintainer"), "InternalError")
    ('the database answered with error XX999 (InternalError)', 'see its log on the node')
    """
    unknown = f"the database answered with error {code}" + (f" ({kind})" if kind else "")
    names = {"node": node, "user": database.user, "database": database.name}
    what, hint = (text.format(**names) for text in SENTENCES.get(code, (unknown, "see its log on the node")))
    return what, hint


def of_first_answer(answer: bytes) -> str | None:
    r"""Find the SQLSTATE in what a server sent before it closed: libpq hands over only its text, in any language.

    >>> of_first_answer(b"R\x00\x00\x00\x08\x00\x00\x00\x05E\x00\x00\x00\x0cC28P01\x00\x00")
    '28P01'
    """
    while len(answer) > 5:  # noqa: PLR2004 (a type byte and a length of four)
        kind, length = answer[:1], int.from_bytes(answer[1:5], "big")
        if kind == b"E":
            fields = answer[5 : 1 + length].split(b"\0")
            return next((field[1:].decode("ascii", "replace") for field in fields if field[:1] == b"C"), None)
        if length < 4:  # noqa: PLR2004 (the length counts itself)
            return None
        answer = answer[1 + length :]
    return None
