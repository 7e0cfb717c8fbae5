"""Read what is due of the store into the ledger, and walk the store for files that nobody knows.

Request {"bytes", "rate", "threads", "walk", "grace_seconds", "lost_share", "pause"}: `bytes` is tonight's quota and
`rate` the most bytes a second, null for no limit but the time; without `walk`, no files are looked for that nobody
knows. `pause` is {"port", "above"}: nothing is read while more than `above` bytes a second move over that port; it may
be left out. With `adopt`, which may be left out, the store is a plain tree of files: it is walked before it is read,
and what nobody knows is taken for an object of it, whose bytes come on top of the quota; then also {"adopted",
"accepted"}. `accepted`, only with it, are [key, verdict, SHA-256 or null] of what a person accepted: an object that is
found to be just that is from now on what it is; the answer's says how many were.
Answers {"stopped", "objects", "bytes", "seconds", "files", "files_complete", "proof"}; `stopped` is
nothing-left, quota, deadline, surprises (then also {"missing"}: key and path of each of at most 1000 objects, of which
the index may say that the archive deleted them), no-store or no-proof. When there was a pause, also {"pauses",
"paused_seconds", "paused_because"}. Launch it: it takes hours, goes on where it stopped, and gives way to all.
"""

import json

from maintainer.node import store_ledger as ledger
from maintainer.node import store_pausing
from maintainer.node.envelope import BadRequest, mapping, number
from maintainer.node.store_accepting import Accepting
from maintainer.node.store_adopting import Adopting, Presence
from maintainer.node.store_learning import is_key
from maintainer.node.store_proof import prove
from maintainer.node.store_reading import Reading
from maintainer.node.store_strays import Walk

GENTLE = True
_MOST = 10**17
_FOR_THE_WALK = 0.15
"""Part of the time that is kept to look for files that nobody knows."""
_WORTH_MEASURING = 2.0
_TOLD_OF = 1000
_OF_A_WORD = 3
_NOTHING_READ = {"objects": 0, "bytes": 0, "seconds": 0.0}


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
        work = _work_on_tree if wanted.get("adopt") else _work
        with store_pausing.way_of(wanted.get("pause")) as way:
            return work(opened, policy.store, wanted, deadline, way)


def _request(request):
    always = ("bytes", "rate", "threads", "walk", "grace_seconds", "lost_share")
    mapping(request, "request", always, ("pause", "adopt", "accepted"))
    for choice in ("walk", "adopt"):
        if not isinstance(request.get(choice, False), bool):
            raise BadRequest("{} is neither true nor false".format(choice))
    for limit in ("bytes", "rate"):
        if request[limit] is not None and type(number(request[limit], limit, limit == "rate", _MOST)) is not int:
            raise ValueError("{} is a whole number, or null".format(limit))
    number(request["threads"], "threads", 1, 16)
    number(request["grace_seconds"], "grace_seconds", 0, _MOST)
    number(request["lost_share"], "lost_share", 0, 1)
    _accepted(request.get("accepted", []))
    store_pausing.check(request.get("pause"))
    return request


def _accepted(words):
    if not isinstance(words, list) or not all(isinstance(word, list) and len(word) == _OF_A_WORD for word in words):
        raise BadRequest("accepted is a list of [key, verdict, SHA-256 or null]")
    if not all(is_key(key) and word in ledger.DEVIATIONS_OF_CONTENT for key, word, _ in words):
        raise BadRequest("what is accepted has a key, and a verdict of its content")
    return {key: (word, sha256) for key, word, sha256 in words}


def _nothing_done(opened, proof):
    if not proof:
        with ledger.change(opened):
            ledger.put(opened, lost="store")
    stopped = "no-proof" if proof else "no-store"
    return dict(_NOTHING_READ, stopped=stopped, files=0, files_complete=False, proof=proof[:20])


def _work(opened, store, wanted, deadline, way):
    sooner = way.before(_Sooner(deadline, deadline.left() * _FOR_THE_WALK))
    reading = Reading(opened, store, wanted["bytes"], sooner, **_how(wanted))
    at_work, seconds = _read(reading, way)
    walk = Walk(opened, store, wanted["grace_seconds"], way.before(deadline))
    if wanted["walk"] and reading.stopped != "surprises":
        walk.run()
    with ledger.change(opened):
        _remember(opened, reading, walk, at_work)
    return _answer(reading, seconds, walk, way)


def _work_on_tree(opened, store, wanted, deadline, way):
    """What is new is learnt first, so that the first night already reads."""
    sooner = _Sooner(deadline, deadline.left() * (1 - _FOR_THE_WALK))
    known = Presence(opened, store, way.before(sooner))
    known.look()
    if known.is_lost(wanted["lost_share"]):
        with ledger.change(opened):
            ledger.put(opened, stopped="surprises", lost="surprises {} of {}".format(known.gone, known.sample))
        nothing = dict(_NOTHING_READ, stopped="surprises", missing=[], files=0, files_complete=False, proof=[])
        return dict(nothing, **_paused(way))
    if known.gone:
        known.note_missing()
    walk = Adopting(opened, store, wanted["grace_seconds"], way.before(sooner))
    if wanted["walk"]:
        walk.run()
    words, quota = _accepted(wanted.get("accepted", [])), wanted["bytes"]
    quota = None if quota is None else quota + walk.bytes  # which nobody knew of when the quota was set
    reading = Accepting(opened, store, quota, way.before(deadline), words=words, **_how(wanted))
    at_work, seconds = _read(reading, way)
    with ledger.change(opened):
        _remember(opened, reading, walk, at_work)
    return dict(_answer(reading, seconds, walk, way), adopted=walk.objects, accepted=reading.accepted)


def _how(wanted):
    return {"rate": wanted["rate"], "threads": int(wanted["threads"]), "lost_share": wanted["lost_share"]}


def _read(reading, way):
    """Read; answers for how many seconds, and how many it took."""
    paused = way.seconds
    seconds = reading.run()
    # Of a night that was used up, the pauses count: its time was worth no more.
    return seconds if reading.stopped == "deadline" else seconds - (way.seconds - paused), seconds


def _answer(reading, seconds, walk, way):
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
