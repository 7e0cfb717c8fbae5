"""What deviates and has not been held against the index since: {"objects": [[key, path, verdict], …], "strays"}.

Request {"limit"}: of each, the first so many.
"""

from maintainer.node import store_ledger as ledger
from maintainer.node.envelope import mapping, number

GENTLE = True
_OBJECTS = "SELECT key, path, verdict FROM deviations JOIN objects USING (key) WHERE NOT settled ORDER BY key LIMIT ?"
_STRAYS = "SELECT path FROM strays WHERE NOT settled ORDER BY path LIMIT ?"


def run(request, policy, _deadline):
    mapping(request, "request", ("limit",))
    limit = int(number(request["limit"], "limit", 1, 20000))
    with ledger.to_read(ledger.path_of(policy)) as opened:
        if opened is None:
            return {"objects": [], "strays": []}
        rows = opened.execute(_OBJECTS, (limit,)).fetchall()
        strays = [path for (path,) in opened.execute(_STRAYS, (limit,))]
        return {"objects": [[key, path, ledger.word_of(verdict)] for key, path, verdict in rows], "strays": strays}
