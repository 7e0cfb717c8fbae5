"""Who may act on this node: one run of one controller at a time, told apart by a token that only grows.

A holder that was stopped and wakes up later brings a token that is not the newest, and is refused. A lease has no end
of its own: it is given back, taken anew by the same controller (whose earlier run is dead, as its own lock says), or
released by a person. Nobody else gets it, however old it is.
"""

import os
import re
import time
from datetime import datetime, timezone
from typing import NamedTuple

from maintainer.node import state
from maintainer.node.envelope import BadRequest, Failed, Held, mapping, number, text

FILE = "lease.json"
FORMAT = "maintainer.lease/1"
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_MOST = 10**15


class Claim(NamedTuple):
    """What a request says about who asks."""

    controller: str
    run: str
    token: int


def claim(fields):
    """Read the claim of a request.

    Raises:
        BadRequest: it is none.
        Held: the request has none.
    """
    if fields is None:
        raise Held("this node acts only for who holds its lease", "take the lease first")
    mapping(fields, "lease", ("controller", "run", "token"))
    token = number(fields["token"], "lease.token", 1, _MOST)
    return Claim(word(fields["controller"], "lease.controller"), word(fields["run"], "lease.run"), token)


def word(value, where):
    if not isinstance(value, str) or not _WORD.match(value):
        raise BadRequest(where + " is not an id")
    return value


def take(path, controller, run, who):
    """Give a new token to a run.

    Raises:
        Held: another controller has it.
    """
    with state.alone(path):
        lease = look(path)
        holder = lease["holder"]
        if holder and holder["controller"] != controller:
            raise Held("this node is held by " + said_of(holder), _release(holder))
        now = _now()
        taken = {"controller": controller, "run": run, "who": who, "since": now, "renewed": now}
        _write(path, {"token": lease["token"] + 1, "holder": taken, "released": None})
        return lease["token"] + 1


def renew(path, asked):
    """Note that the holder still works here, and say so if it is the holder no longer."""
    with state.alone(path):
        lease = require(path, asked)
        lease["holder"]["renewed"] = _now()
        _write(path, lease)


def release(path, asked):
    """Give it back. The token stays, so that the next one is larger."""
    with state.alone(path):
        lease = require(path, asked)
        _write(path, {"token": lease["token"], "holder": None, "released": None})


def break_open(path, who, why):
    """Take it from whoever has it, as a person decided; answers who that was, or None."""
    with state.alone(path):
        lease = look(path)
        if lease["holder"]:
            released = {"at": _now(), "by": who, "why": why}
            _write(path, {"token": lease["token"], "holder": None, "released": released})
        return lease["holder"]


def require(path, asked):
    """Answer the lease as it is.

    Raises:
        Held: the claim is not the newest: what asks is a run that is over, or was told to be.
    """
    lease = look(path)
    holder, released = lease["holder"], lease["released"]
    if holder and Claim(holder["controller"], holder["run"], lease["token"]) == asked:
        return lease
    if holder:
        raise Held("fenced: a newer run holds this node: " + said_of(holder), _release(holder))
    if released:
        what = "fenced: {} released this node's lease at {}: {}".format(released["by"], released["at"], released["why"])
        raise Held(what, "start a new run when it may go on")
    raise Held("fenced: this node's lease is not held any more", "start a new run")


def look(path):
    """The lease as it is: {"token", "holder", "released"}. Before anybody took it, its token is 0.

    Raises:
        Failed: it cannot be read, or is not one; then nobody may act here.
    """
    file = os.path.join(path, FILE)
    fields = state.read(file)
    if fields is None:
        return {"token": 0, "holder": None, "released": None}
    try:
        _check(fields)
    except BadRequest as error:
        raise Failed(
            "{}: {}".format(file, error.what), "it is damaged: see why, and remove it while no run goes on"
        ) from None
    return {key: fields[key] for key in ("token", "holder", "released")}


def age(holder):
    """Seconds since it was taken, by this node's clock."""
    since = datetime.strptime(holder["since"], _TIME).replace(tzinfo=timezone.utc).timestamp()
    return max(0.0, time.time() - since)


def said_of(holder):
    return "{} (controller {}, run {}), since {}, for {}".format(
        holder["who"], holder["controller"], holder["run"], holder["since"], _long(age(holder))
    )


_TIME = "%Y-%m-%dT%H:%M:%SZ"
_HOLDER = ("controller", "run", "who", "since", "renewed")


def _check(fields):
    mapping(fields, "the lease", ("format", "token", "holder", "released"))
    if fields["format"] != FORMAT:
        raise BadRequest("it is not of format " + FORMAT)
    number(fields["token"], "token", 1, _MOST)
    for name, keys in (("holder", _HOLDER), ("released", ("at", "by", "why"))):
        if fields[name] is not None:
            for value in mapping(fields[name], name, keys).values():
                text(value, name)
    if fields["holder"]:
        try:
            age(fields["holder"])
        except ValueError:
            raise BadRequest("holder.since is not an instant") from None


def _write(path, lease):
    try:
        state.keep(os.path.join(path, FILE), dict(lease, format=FORMAT))
    except OSError as error:
        what = "this node cannot keep a lease: {}: {}".format(path, error.strerror)
        raise Failed(what, "nothing is done here until it can: make room, or see why it is read-only") from error


def _now():
    return datetime.now(timezone.utc).strftime(_TIME)


def _long(seconds):
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return "{:.0f} {}".format(seconds // size, unit)
    return "{:.0f} s".format(seconds)


def _release(holder):
    return "wait for it to end, or ask {}; if that run is surely over: `maintainer node release NAME --why …`".format(
        holder["who"]
    )
