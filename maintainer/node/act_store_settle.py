"""Note what the index said when it was asked about what deviates: {"settled"}.

Request {"confirmed": [key, …], "gone": [key, …], "strays": [path, …], "known": [path, …]}: confirmed is what the index
still lists as the ledger has it, gone what it no longer lists; strays are files that it does not list, known such that
it does by now. "explained" may be true: what surprised the last reading was deleted by the archive, and no store was
lost.
"""

from maintainer.node import store_ledger as ledger
from maintainer.node.envelope import mapping
from maintainer.node.store_learning import forget, is_key

GENTLE = True
_MOST = 100000


def run(request, policy, _deadline):
    mapping(request, "request", ("confirmed", "gone", "strays", "known"), ("explained",))
    confirmed, gone = (_list(request[which], is_key) for which in ("confirmed", "gone"))
    strays, known = (_list(request[which], _is_path) for which in ("strays", "known"))
    if policy.store is None:
        raise ValueError("this node has no store in its policy")
    with ledger.to_write(policy) as opened, ledger.change(opened):
        opened.executemany("UPDATE deviations SET settled = 1 WHERE key = ?", [(key,) for key in confirmed])
        forget(opened, gone)
        if request.get("explained") is True:
            ledger.forget(opened, "lost")
        opened.executemany("UPDATE strays SET settled = 1 WHERE path = ?", [(path,) for path in strays])
        opened.executemany("DELETE FROM strays WHERE path = ?", [(path,) for path in known])
    return {"settled": len(confirmed) + len(gone) + len(strays) + len(known)}


def _list(value, is_one):
    if not isinstance(value, list) or len(value) > _MOST or not all(map(is_one, value)):
        raise ValueError("keys and paths come as lists of at most {}".format(_MOST))
    return value


def _is_path(value):
    return isinstance(value, str)
