"""Tables of a node's ledger, for SQLite 3.7 and later; `store_rows` says what a row of `objects` holds.

Who looks wants sums over millions of rows at once. Triggers keep them, so that they hold whoever changes a row.
"""

_ADD = """
INSERT OR IGNORE INTO tally VALUES (new.looked, new.verdict, 0, 0);
UPDATE tally SET objects = objects + 1, bytes = bytes + new.size WHERE looked = new.looked AND verdict = new.verdict;
"""
_TAKE = """
UPDATE tally SET objects = objects - 1, bytes = bytes - old.size WHERE looked = old.looked AND verdict = old.verdict;
"""
SCHEMA = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE objects (
        key INTEGER PRIMARY KEY, name BLOB NOT NULL, size INTEGER NOT NULL, form INTEGER NOT NULL, proof BLOB NOT NULL,
        seen INTEGER NOT NULL, looked INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, verdict INTEGER NOT NULL
    )""",
    "CREATE INDEX objects_looked ON objects (looked)",
    "CREATE TABLE turns (number INTEGER PRIMARY KEY, began INTEGER NOT NULL)",
    """CREATE TABLE tally (
        looked INTEGER NOT NULL, verdict INTEGER NOT NULL, objects INTEGER NOT NULL, bytes INTEGER NOT NULL,
        PRIMARY KEY (looked, verdict)
    )""",
    "CREATE TRIGGER objects_come AFTER INSERT ON objects BEGIN" + _ADD + "END",
    "CREATE TRIGGER objects_go AFTER DELETE ON objects BEGIN" + _TAKE + "END",
    "CREATE TRIGGER objects_change AFTER UPDATE OF size, looked, verdict ON objects BEGIN" + _TAKE + _ADD + "END",
    """CREATE TABLE deviations (
        key INTEGER PRIMARY KEY, evidence TEXT NOT NULL, settled INTEGER NOT NULL, good INTEGER
    )""",
    "CREATE TABLE strays (path TEXT PRIMARY KEY, found INTEGER NOT NULL, settled INTEGER NOT NULL)",
    "CREATE TABLE seals (number INTEGER PRIMARY KEY, night TEXT NOT NULL, root TEXT NOT NULL)",
)
