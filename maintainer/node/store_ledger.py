"""What this node knows of each object of the store, from one night to the next: one SQLite file beside its leases.

With a rollback journal, not WAL: who reads a WAL database writes beside it, and observing must not be able to write.
Times are whole seconds since 1970. When something was read is the number of a turn, one for each run of the reading.
"""

import contextlib
import hashlib
import json
import os
import sqlite3
import time

from maintainer.node import state
from maintainer.node.envelope import Failed, Refused
from maintainer.node.store_rows import FIRST_DEVIATION, NEVER
from maintainer.node.store_schema import SCHEMA

FILE = "store-ledger.sqlite"
FORMAT = "4"
_OLDER_FORMATS = ("1", "2", "3")
OLDER = "older-format"
DEVIATIONS_OF_CONTENT = ("missing", "unreadable", "size", "digest", "bit-rot", "modified")
DEVIATIONS = (*DEVIATIONS_OF_CONTENT, "header", "executable-preamble")
_CODES = {word: code for code, word in enumerate(DEVIATIONS, FIRST_DEVIATION)}
FIRST_OF_FORM = FIRST_DEVIATION + len(DEVIATIONS_OF_CONTENT)
_WORDS = {code: word for word, code in _CODES.items()}
_SEALED = (
    "SELECT * FROM objects ORDER BY key",
    "SELECT * FROM turns ORDER BY number",
    "SELECT * FROM tally ORDER BY looked, verdict",
    "SELECT * FROM deviations ORDER BY key",
    "SELECT * FROM strays ORDER BY path",
    "SELECT * FROM meta WHERE name <> 'open' ORDER BY name",
)
_PATIENCE = 60.0
_AT_ONCE = 1000


def path_of(policy):
    return os.path.join(state.folder(policy), FILE)


@contextlib.contextmanager
def to_read(path):
    """Open it so that SQLite cannot write, beside it or anywhere else; gives None where there is none, or a file in
    which nothing was ever written: the disk was full, or a run was killed just then.

    All that is read until this ends is of one moment: a run that commits meanwhile waits for it, as long as it would
    for another's write.

    Raises:
        Failed: it cannot be read now, which says nothing about what is in it.
        sqlite3.OperationalError: a run was killed in the middle of a write, which only who writes can take back.
        sqlite3.DatabaseError: it is damaged.
    """
    if not os.path.exists(path):
        yield None
        return
    try:
        with contextlib.closing(_connected_to_read(path)) as opened:
            yield None if _is_empty(opened) else opened
    except sqlite3.OperationalError as error:
        if any(words in str(error) for words in _NOT_NOW):
            raise Failed("the ledger {} cannot be read: {}".format(path, error), _ASK_AGAIN) from error
        raise


def _connected_to_read(path):
    opened = sqlite3.connect("file:{}?mode=ro".format(_quoted(path)), uri=True, timeout=_PATIENCE)
    opened.execute("PRAGMA query_only = 1")
    opened.execute("PRAGMA temp_store = MEMORY")
    opened.execute("BEGIN")
    return opened


@contextlib.contextmanager
def to_write(policy):
    """Open it, or make it, and be the one who writes; what is not committed when this ends never was.

    Raises:
        Refused: it is the ledger of another store.
        Failed: it is damaged, or cannot be written.
    """
    folder = state.make(state.folder(policy))
    path = os.path.join(folder, FILE)
    os.close(state.open_lock(path))  # SQLite itself would let others read what it makes
    opened = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
    try:
        prepare(opened, policy.store.path)
        yield opened
    except sqlite3.DatabaseError as error:
        raise Failed("the ledger {} cannot be used: {}".format(path, type(error).__name__), _START_ANEW) from error
    finally:
        opened.close()


_NOT_NOW = ("locked", "unable to open", "disk I/O", "out of memory")
"""What SQLite says when it could not even look. Source: sqlite3ErrStr in its src/main.c."""
_ASK_AGAIN = "a run may be writing it: ask again; else see its disk (dmesg), and whether the agent's user may read it"
_START_ANEW = "see whether its disk is full or damaged; move the file away to begin with a new ledger"


def prepare(opened, store):
    """Make a new database a ledger, and see that an old one is one of this store."""
    opened.execute("PRAGMA page_size = 4096")
    first(opened, "PRAGMA journal_mode = TRUNCATE")
    opened.execute("PRAGMA synchronous = FULL")
    opened.execute("PRAGMA cache_size = -16000")
    opened.execute("BEGIN IMMEDIATE")
    if is_older(opened):
        for (table,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            opened.execute("DROP TABLE {}".format(table))
    if _is_empty(opened):
        for statement in SCHEMA:
            opened.execute(statement)
        put(opened, format=FORMAT, store=store)
    opened.execute("COMMIT")
    trouble = trouble_with(opened, store)
    if trouble:
        raise Refused("the ledger is of {}".format(trouble.replace("-", " ")), _START_ANEW)


def trouble_with(opened, store):
    """Say in a word why it cannot be gone by, or nothing. Whoever writes begins one of an older layout anew."""
    if is_older(opened):
        return OLDER
    if get(opened, "format") != FORMAT:
        return "another-format"
    return "" if get(opened, "store") == store else "another-store"


def _is_empty(opened):
    return not first(opened, "SELECT count(*) FROM sqlite_master")[0]


def is_older(opened):
    return not _is_empty(opened) and get(opened, "format") in _OLDER_FORMATS


def first(opened, query, values=()):
    """The first row, or nothing. All are fetched: PyPy cannot commit while a statement has rows left."""
    rows = opened.execute(query, values).fetchall()
    return rows[0] if rows else None


def put(opened, **values):
    opened.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())


def get(opened, name):
    row = first(opened, "SELECT value FROM meta WHERE name = ?", (name,))
    return row[0] if row else None


def forget(opened, name):
    opened.execute("DELETE FROM meta WHERE name = ?", (name,))


@contextlib.contextmanager
def change(opened):
    """One transaction, which also says that the ledger differs from what was sealed last."""
    opened.execute("BEGIN IMMEDIATE")
    try:
        put(opened, open="1")
        yield
    except BaseException:
        opened.execute("ROLLBACK")
        raise
    opened.execute("COMMIT")


def root(opened):
    """SHA-256 over every row in order. It takes a few µs a row, and no memory to speak of."""
    whole = hashlib.sha256()
    for query in _SEALED:
        rows = opened.execute(query)
        for some in iter(_fetcher(rows), []):
            whole.update(repr(some).encode("utf-8", "surrogatepass"))
    return whole.hexdigest()


def _fetcher(rows):
    return lambda: rows.fetchmany(_AT_ONCE)


def seal(opened, night):
    """Note that a night's work is over and what the ledger says by then; answers the root."""
    forget(opened, "open")
    put(opened, night=night)
    found = root(opened)
    opened.execute("INSERT INTO seals (night, root) VALUES (?, ?)", (night, found))
    opened.execute("DELETE FROM seals WHERE number <= (SELECT max(number) FROM seals) - 100")
    return found


def next_turn(opened):
    return (first(opened, "SELECT max(number) FROM turns")[0] or NEVER) + 1


def begin_turn(opened):
    """Number one run of the reading, and note when it began.

    What it has read is told from what is due by this number alone: a clock may be set back, and two nights of a small
    store may lie in one second.
    """
    turn = next_turn(opened)
    opened.execute("INSERT INTO turns VALUES (?, ?)", (turn, now()))
    return turn


def deviate(opened, row, turn, good, judged):
    """Note what is wrong with an object, and in which turn it was last good; what was known of it then stays."""
    code = _CODES[judged.word]
    opened.execute("UPDATE objects SET verdict = ?, looked = ? WHERE key = ?", (code, turn, row.key))
    known = first(opened, "SELECT settled FROM deviations WHERE key = ?", (row.key,))
    settled = known[0] if known and row.verdict == code else 0
    text = json.dumps(judged.evidence, sort_keys=True)
    opened.execute("INSERT OR REPLACE INTO deviations VALUES (?, ?, ?, ?)", (row.key, text, settled, good))


def word_of(verdict):
    """Name of a deviation's code."""
    return _WORDS[verdict]


def now():
    return int(time.time())


def _quoted(path):
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
