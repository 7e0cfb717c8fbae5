"""Close the ledger for a night and say what it comes to: {"root"}.

Request {"night", "lost", "compared"}: `lost` is "index" when the index turned out to be another one than the ledger
knows, else "". `compared` is the key after which the comparison with the index goes on the next night, or null.
Where the index knows less of the files than it does not know, the ledger notes by itself that something is lost.
The root is for the controller's own record: whoever changes the ledger before the next night cannot change it there.
"""

from maintainer.node import store_ledger as ledger
from maintainer.node.envelope import mapping, text
from maintainer.node.store_counting import whole
from maintainer.node.store_learning import is_key
from maintainer.node.store_reading import LEAST_SURPRISES

GENTLE = True
_STRAYS = "SELECT count(*) FROM strays WHERE settled"


def run(request, policy, _deadline):
    mapping(request, "request", ("night", "lost", "compared"))
    night = text(request["night"], "night", 64)
    if request["lost"] not in ("", "index"):
        raise ValueError('lost is "index", or empty')
    if request["compared"] is not None and not is_key(request["compared"]):
        raise ValueError("compared is a key, or null")
    if policy.store is None:
        raise ValueError("this node has no store in its policy")
    with ledger.to_write(policy) as opened, ledger.change(opened):
        lost = request["lost"] or ledger.get(opened, "lost") or _too_many_strays(opened)
        if lost:
            ledger.put(opened, lost=lost)
        if request["compared"] is not None:
            ledger.put(opened, compared=str(request["compared"]))
        return {"root": ledger.seal(opened, night)}


def _too_many_strays(opened):
    (strays,), (objects, _) = ledger.first(opened, _STRAYS), whole(opened)
    return "strays {} of {}".format(strays, strays + objects) if strays >= max(LEAST_SURPRISES, objects) else ""
