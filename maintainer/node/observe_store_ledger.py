"""What the ledger says of the store, so that a plan can tell what is due and what was found; nothing is written.

Request {}; answers {"store_present", "trouble", "ledger"}. `trouble` is "" for a ledger that can be read, else none,
interrupted (a run was killed while it wrote; the next one takes that back), damaged, older-format (the next run begins
anew), another-store or another-format; then `ledger` is null.
"""

import json
import sqlite3

from maintainer.node import store_counting
from maintainer.node import store_ledger as ledger
from maintainer.node.envelope import mapping
from maintainer.node.store_rows import path_of

GENTLE = True
LISTED = 200
SEALS = 32
_DEVIATIONS = """
SELECT name, verdict, evidence, began, key
FROM deviations JOIN objects USING (key) LEFT JOIN turns ON number = good
WHERE settled ORDER BY verdict, key LIMIT ?
"""
_SEALS = "SELECT night, root FROM seals ORDER BY number DESC LIMIT ?"
_STRAYS = "SELECT path FROM strays WHERE settled ORDER BY path LIMIT ?"
_COUNTED = """
SELECT (SELECT count(*) FROM deviations WHERE settled = ?) + (SELECT count(*) FROM strays WHERE settled = ?)
"""


def run(request, policy, _deadline):
    mapping(request, "request", ())
    if policy.store is None:
        raise ValueError("this node has no store in its policy")
    trouble, answer = "none", None
    try:
        with ledger.to_read(ledger.path_of(policy)) as opened:
            if opened is not None:
                trouble = ledger.trouble_with(opened, policy.store.path)
                answer = None if trouble else _answer(opened)
    except sqlite3.OperationalError as error:
        trouble, answer = "interrupted" if "readonly" in str(error) else "damaged", None
    except sqlite3.DatabaseError:
        trouble, answer = "damaged", None
    return {"store_present": policy.store.present(), "trouble": trouble, "ledger": answer}


def _answer(opened):
    objects, size = store_counting.whole(opened)
    fresh_objects, fresh_bytes = store_counting.fresh(opened)
    seals = opened.execute(_SEALS, (SEALS,)).fetchall()
    deviations = _deviations(opened)
    return {
        "root": ledger.root(opened),
        "sealed": ledger.get(opened, "open") is None,
        "night": seals[0][0] if seals else "",
        "seals": [root for _, root in seals],
        "objects": objects,
        "bytes": size,
        "last_key": store_counting.last_key(opened),
        "fresh_objects": fresh_objects,
        "fresh_bytes": fresh_bytes,
        "ages": store_counting.ages(opened),
        "clock": ledger.now(),
        "verified": store_counting.verified(opened),
        "deviations": deviations,
        "unlisted": ledger.first(opened, _COUNTED, (1, 1))[0] - len(deviations),
        "unconfirmed": ledger.first(opened, _COUNTED, (0, 0))[0],
        "stopped": ledger.get(opened, "stopped") or "",
        "lost": ledger.get(opened, "lost") or "",
        "proof": json.loads(ledger.get(opened, "proof") or "[]"),
        "speed": int(ledger.get(opened, "speed") or 0),
        "skipped": json.loads(ledger.get(opened, "skipped") or "{}"),
        "walking": ledger.get(opened, "walk-after") is not None,
    }


def _deviations(opened):
    now = ledger.now()
    found = [
        [path_of(name), ledger.word_of(verdict), dict(json.loads(evidence), **_since(good, now)), key]
        for name, verdict, evidence, good, key in opened.execute(_DEVIATIONS, (LISTED,))
    ]
    strays = opened.execute(_STRAYS, (LISTED - len(found),))
    return found + [[path, "orphan", {}, None] for (path,) in strays]


def _since(good, now):
    """How long ago it was last found good, as of this look; nothing for one that never was."""
    return {"last_good_seconds_ago": max(0, now - good)} if good else {}
