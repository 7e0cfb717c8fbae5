"""What the archive's index says, taken into the ledger range by range of its keys."""

from maintainer.node import store_ledger as ledger
from maintainer.node.object_reading import ALGORITHMS, KINDS
from maintainer.node.store_objects import indexed, is_same
from maintainer.node.store_rows import NEVER, UNKNOWN, UNREAD

MOST = 20000
_MAX_KEY = 2**62
_UNREAD = (NEVER, UNKNOWN, UNREAD)
_INSERT = "INSERT INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_REPLACE = """
UPDATE objects SET name = ?, size = ?, form = ?, proof = ?, looked = ?, mtime_ns = ?, verdict = ? WHERE key = ?
"""
_KNOWN = "SELECT key, name, size, form, proof FROM objects WHERE key > ? AND key <= ?"


def learn(opened, after, through, objects):
    """Take in that these, and no others, are what the index lists with after < key ≤ through.

    An object that the index tells otherwise than before was replaced by the archive: it is read anew. One that it no
    longer lists was deleted. Answers how many were new, replaced and gone.
    """
    known = {row[0]: row[1:] for row in opened.execute(_KNOWN, (after, through))}
    told = {fields[0]: _checked(fields, after, through) for fields in objects}
    new = [key for key in told if key not in known]
    changed = [key for key in told if key in known and not is_same(known[key], told[key])]
    gone = [key for key in known if key not in told]
    turn = ledger.next_turn(opened)
    opened.executemany(_INSERT, [(key, *told[key], turn, *_UNREAD) for key in new])
    opened.executemany(_REPLACE, [(*told[key], *_UNREAD, key) for key in changed])
    forget(opened, gone)
    opened.executemany("DELETE FROM deviations WHERE key = ?", [(key,) for key in changed])
    return {"new": len(new), "replaced": len(changed), "gone": len(gone)}


def adopt(opened, key, path, size, kind):
    """Take in an object that no index lists."""
    opened.execute(_INSERT, (key, *indexed(path, size, kind, "sha256", None), ledger.next_turn(opened), *_UNREAD))


def replace(opened, key, path, size, kind):
    """Take an object that no index lists for one that is not known yet; answers what `indexed` gives of it."""
    fields = indexed(path, size, kind, "sha256", None)
    opened.execute(_REPLACE, (*fields, *_UNREAD, key))
    opened.execute("DELETE FROM deviations WHERE key = ?", (key,))
    return fields


def forget(opened, keys):
    for statement in ("DELETE FROM objects WHERE key = ?", "DELETE FROM deviations WHERE key = ?"):
        opened.executemany(statement, [(key,) for key in keys])


def _checked(fields, after, through):
    """Give what the ledger writes of [key, path, size, algorithm, digest, kind, uid]."""
    if not isinstance(fields, list) or len(fields) != 7:  # noqa: PLR2004 (as named above)
        raise ValueError("an object is [key, path, size, algorithm, digest or null, kind, uid or null]")
    key, path, size, algorithm, digest, kind, uid = fields
    if not is_key(key) or not after < key <= through:
        raise ValueError("an object's key is a whole number within the range")
    if not isinstance(path, str) or type(size) is not int or size < 0:
        raise ValueError("an object's path is a text and its size a whole number")
    if algorithm not in ALGORITHMS or kind not in KINDS:
        raise ValueError("an object's digest is one of {}, its kind one of {}".format(ALGORITHMS, KINDS))
    return indexed(path, size, kind, algorithm, _bytes(digest), uid=_bytes(uid))


def _bytes(digest):
    if digest is None:
        return None
    try:
        return bytes.fromhex(digest)
    except (TypeError, ValueError):
        raise ValueError("an object's digest is hexadecimal, or null") from None


def is_key(value):
    return type(value) is int and 0 <= value <= _MAX_KEY
