"""Read what is due of the store into the ledger, and walk the store for files that nobody knows.

Request {"bytes", "rate", "threads", "walk", "grace_seconds", "lost_share", "pause"}: `bytes` is tonight's quota and
`rate` the most bytes a second, null for no limit but the time; without `walk`, no files are looked for that nobody
knows. `pause` is {"port", "above"}: nothing is read while more than `above` bytes a second move over that port; it may
be left out. Answers {"stopped", "objects", "bytes", "seconds", "files", "files_complete", "proof"}; `stopped` is
nothing-left, quota, deadline, surprises (then also {"missing"}: key and path of each of at most 1000 objects, of which
the index may say that the archive deleted them), no-store or no-proof. When there was a pause, also {"pauses",
"paused_seconds", "paused_because"}. Launch it: it takes hours, goes on where it stopped, and gives way to all.
"""

import json

from maintainer.node import store_ledger as ledger
from maintainer.node.envelope import BadRequest, mapping, number
from maintainer.node.giving_way import GivingWay
from maintainer.node.store_proof import prove
from maintainer.node.store_reading import Reading
from maintainer.node.store_strays import Walk

GENTLE = True
_MOST = 10**17
_FOR_THE_WALK = 0.15
"""Part of the time that is kept to look for files that nobody knows."""
_WORTH_MEASURING = 2.0
_TOLD_OF = 1000


def run(request, policy, deadline):
    wanted = _request(request)
    if policy.store is None:
        raise ValueError("this node has no store in its policy")
    with ledger.to_write(policy) as opened:
        proof = prove(policy, deadline)
        with ledger.change(opened):
            ledger.put(opened, proof=json.dumps(proof[:20]))
            ledger.forget(opened, "lost")
        if proof or not policy.store.present():
            return _nothing_done(opened, proof)
        return _work(opened, policy.store, wanted, deadline)


def _request(request):
    mapping(request, "request", ("bytes", "rate", "threads", "walk", "grace_seconds", "lost_share"), ("pause",))
    if not isinstance(request["walk"], bool):
        raise BadRequest("walk is neither true nor false")
    for limit in ("bytes", "rate"):
        if request[limit] is not None and type(number(request[limit], limit, limit == "rate", _MOST)) is not int:
            raise ValueError("{} is a whole number, or null".format(limit))
    number(request["threads"], "threads", 1, 16)
    number(request["grace_seconds"], "grace_seconds", 0, _MOST)
    number(request["lost_share"], "lost_share", 0, 1)
    if request.get("pause") is not None:
        pause = mapping(request["pause"], "pause", ("port", "above"))
        if type(number(pause["port"], "pause.port", 1, 65535)) is not int:
            raise BadRequest("pause.port is a whole number")
        number(pause["above"], "pause.above", 0, _MOST)
    return request


def _nothing_done(opened, proof):
    if not proof:
        with ledger.change(opened):
            ledger.put(opened, lost="store")
    stopped = "no-proof" if proof else "no-store"
    read = {"objects": 0, "bytes": 0, "seconds": 0.0}
    return dict(read, stopped=stopped, files=0, files_complete=False, proof=proof[:20])


def _work(opened, store, wanted, deadline):
    pause = wanted.get("pause") or {"port": None, "above": 0}
    way = GivingWay(pause["port"], pause["above"])
    reading = Reading(
        opened,
        store,
        wanted["bytes"],
        way.before(_Sooner(deadline, deadline.left() * _FOR_THE_WALK)),
        rate=wanted["rate"],
        threads=int(wanted["threads"]),
        lost_share=wanted["lost_share"],
    )
    seconds = reading.run()
    # Of a night that was used up, the pauses count: its time was worth no more.
    at_work = seconds if reading.stopped == "deadline" else seconds - way.seconds
    walk = Walk(opened, store, wanted["grace_seconds"], way.before(deadline))
    if wanted["walk"] and reading.stopped != "surprises":
        walk.run()
    with ledger.change(opened):
        _remember(opened, reading, walk, at_work)
    answer = {"stopped": reading.stopped, "objects": reading.objects, "bytes": reading.bytes}
    answer.update(_paused(way), **_missed(reading))
    return dict(answer, seconds=round(seconds, 3), files=walk.files, files_complete=walk.complete, proof=[])


def _paused(way):
    if not way.times:
        return {}
    return {"pauses": way.times, "paused_seconds": round(way.seconds, 3), "paused_because": way.because}


def _missed(reading):
    return {"missing": reading.missing[:_TOLD_OF]} if reading.stopped == "surprises" else {}


def _remember(opened, reading, walk, seconds):
    """What the next plan is told of this night."""
    ledger.put(opened, skipped=json.dumps(walk.skipped), stopped=reading.stopped)
    if seconds >= _WORTH_MEASURING:
        ledger.put(opened, speed=str(int(reading.bytes / seconds)))
    if reading.stopped == "surprises":
        ledger.put(opened, lost="surprises {} of {}".format(reading.surprises, reading.objects))


class _Sooner:
    """A deadline that passes some seconds before another."""

    def __init__(self, deadline, seconds):
        self._deadline, self._seconds = deadline, seconds

    def left(self):
        return max(0.0, self._deadline.left() - self._seconds)

    def passed(self):
        return self._deadline.left() <= self._seconds
