"""What deviates and has not been held against the index since: {"objects": [[key, path, verdict], …], "strays"}.

Request {"limit"}: of each, the first so many, or as many as fit into an answer: paths may be long.
"""

import json

from maintainer.node import store_ledger as ledger
from maintainer.node.envelope import mapping, number
from maintainer.node.store_rows import path_of

GENTLE = True
_MOST_TEXT = 3000000
_OBJECTS = "SELECT key, name, verdict FROM deviations JOIN objects USING (key) WHERE NOT settled ORDER BY key LIMIT ?"
_STRAYS = "SELECT path FROM strays WHERE NOT settled ORDER BY path LIMIT ?"


def run(request, policy, _deadline):
    mapping(request, "request", ("limit",))
    limit = int(number(request["limit"], "limit", 1, 20000))
    with ledger.to_read(ledger.path_of(policy)) as opened:
        if opened is None or ledger.is_older(opened):
            return {"objects": [], "strays": []}
        rows = opened.execute(_OBJECTS, (limit,)).fetchall()
        objects = [[key, path_of(name), ledger.word_of(verdict)] for key, name, verdict in rows]
        strays = [path for (path,) in opened.execute(_STRAYS, (limit,)).fetchall()]
        return {"objects": list(_fitting(objects)), "strays": list(_fitting(strays))}


def _fitting(some):
    room = _MOST_TEXT
    for one in some:
        yield one
        room -= len(json.dumps(one))
        if room < 0:
            return
