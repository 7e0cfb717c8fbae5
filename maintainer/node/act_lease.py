"""Take, renew, give back or, as a person decided, release this node's lease: {"token"} or {"released"}.

Who takes it is told besides what it showed of its log when it gave the lease back the last time: {"shown"}.
"""

from maintainer.node import journal, lease, operations, state, witness
from maintainer.node.envelope import BadRequest, Trouble, mapping, text

ASKS_FOR_LEASE = True
"""Asks for a lease rather than bringing one."""


def run(request, policy, _deadline):
    mapping(request, "request", ("verb", "controller"), ("run", "token", "who", "why", "log", "forget"))
    path = state.folder(policy)
    verb = request["verb"]
    if verb == "take":
        return _take(path, request)
    if verb == "release-by-person":
        return _break_open(path, request)
    if verb not in ("renew", "release"):
        raise BadRequest("the verb is none of take, renew, release and release-by-person")
    asked = lease.claim({key: request.get(key) for key in ("controller", "run", "token")})
    if "log" in request:
        lease.require(path, asked)
        witness.keep(path, asked.controller, request["log"])
    (lease.renew if verb == "renew" else lease.release)(path, asked)
    return {"token": asked.token}


def _take(path, request):
    controller, run_id = (lease.word(request.get(key), "request." + key) for key in ("controller", "run"))
    token = lease.take(path, controller, run_id, text(request.get("who"), "request.who", 200))
    try:
        return {"token": token, "shown": witness.shown(path, controller)}
    except Trouble:
        lease.release(path, lease.Claim(controller, run_id, token))
        raise


def _break_open(path, request):
    who, why = (text(request.get(key), "request." + key, 400) for key in ("who", "why"))
    before = lease.break_open(path, who, why)
    if before:
        journal.warn("{} released the lease of {}: {}".format(who, lease.said_of(before), why))
    if request.get("forget") is True:
        witness.forget(path, lease.word(request["controller"], "request.controller"))
        journal.warn("{} let this node forget what it was shown of the log: {}".format(who, why))
    return {"released": before, "running": operations.running(path)}
