"""What this node was shown of a controller's log: how many records it had, and the hash of the last of them.

Who cuts that log, or puts an older disk into the controller, has not done so here. The controller compares, since only
it can tell whether its log still holds that record; this node keeps the longest, and takes nothing shorter.
"""

import os
import re
import time

from maintainer.node import state
from maintainer.node.envelope import BadRequest, Failed, Refused, mapping, number

FILE = "witness.json"
FORMAT = "maintainer.witness/1"
MOST = 32
"""Controllers; of more, the one that was here longest ago is forgotten."""
_HASH = re.compile(r"[0-9a-f]{64}\Z")
_LONGEST = 10**15


def shown(path, controller):
    """What it showed: {"size", "root", "at"}, or None.

    Raises:
        Failed: it is not known any more, for the file is damaged.
    """
    return _all(path).get(controller)


def keep(path, controller, end):
    """Keep what a controller shows.

    Raises:
        BadRequest: it is not the end of a log.
        Refused: it showed more before.
    """
    mapping(end, "log", ("size", "root"))
    _check(end)
    with state.alone(path):
        known = _all(path)
        before = known.get(controller)
        if before and before["size"] > end["size"]:
            what = "this node was shown a log of {} records, and now one of {}".format(before["size"], end["size"])
            raise Refused(what, "see `maintainer log verify` and this controller's backups")
        known[controller] = {"size": end["size"], "root": end["root"], "at": int(time.time())}
        newest = sorted(known, key=lambda one: known[one]["at"])[-MOST:]
        _write(path, {one: known[one] for one in newest})


def forget(path, controller):
    """Forget what a controller showed, as a person decided; answers it, or None."""
    with state.alone(path):
        known = _all(path)
        before = known.pop(controller, None)
        if before:
            _write(path, known)
        return before


def _all(path):
    file = os.path.join(path, FILE)
    fields = state.read(file)
    if fields is None:
        return {}
    try:
        return _checked(fields)
    except BadRequest as error:
        what = "{}: {}".format(file, error.what)
        raise Failed(what, "it is damaged: see why, and remove it while no run goes on") from None


def _checked(fields):
    mapping(fields, "it", ("format", "controllers"))
    if fields["format"] != FORMAT:
        raise BadRequest("it is not of format " + FORMAT)
    known = mapping(fields["controllers"], "controllers", (), None)
    for one in known.values():
        number(mapping(one, "a controller", ("size", "root", "at"))["at"], "at", 0, _LONGEST)
        _check(one)
    return known


def _check(end):
    number(end["size"], "size", 0, _LONGEST)
    if not isinstance(end["root"], str) or not _HASH.match(end["root"]):
        raise BadRequest("root is not a hash")


def _write(path, known):
    try:
        state.keep(os.path.join(path, FILE), {"format": FORMAT, "controllers": known})
    except OSError as error:
        what = "this node cannot keep what it was shown of the log: {}".format(error.strerror)
        raise Failed(what, "make room there, or see why it is read-only") from error
