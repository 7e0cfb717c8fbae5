"""Close the ledger for a night and say what it comes to: {"root"}.

Request {"night", "lost", "compared"}: `lost` is "index" when the index turned out to be another one than the ledger
knows, else "". `compared` is the key after which the comparison with the index goes on the next night, or null.
The root is for the controller's own record: whoever changes the ledger before the next night cannot change it there.
"""

from maintainer.node import store_ledger as ledger
from maintainer.node.envelope import mapping, text
from maintainer.node.store_learning import is_key

GENTLE = True


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
        if request["lost"]:
            ledger.put(opened, lost=request["lost"])
        if request["compared"] is not None:
            ledger.put(opened, compared=str(request["compared"]))
        return {"root": ledger.seal(opened, night)}
