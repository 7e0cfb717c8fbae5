"""A prepared node's own rules: what its administrators wrote down, and nobody else may change.

What cannot be read, or could have been written by somebody else, allows nothing.
"""

import os
import stat

from maintainer.node import archive, journal, place
from maintainer.node.envelope import MAX_DEADLINE_SECONDS as LONGEST
from maintainer.node.envelope import BadRequest, Refused, mapping, name, number, parse, texts
from maintainer.node.policy import PREPARE_ANEW, Policy
from maintainer.node.within import keep_within

FORMAT = "maintainer.policy/1"
_MAX_BYTES = 262144
_OURS = ("format", "programs", "longest_seconds")
_REPAIR = "run what `maintainer node prepare NAME` prints on the node again; until then it does nothing"


class Installation:
    """The policy file of this node.

    Raises:
        Refused: the program, the file or a folder above could have been changed by others, or the file is not valid.
    """

    def __init__(self):
        if archive.path():
            _check_owners(archive.path(), "the program")
        fields = _fields(_read(place.POLICY))
        self._policy = _checked(Policy, {key: fields[key] for key in fields if key not in _OURS})
        self._programs = {verb: frozenset(fields["programs"][verb]) for verb in ("observe", "act")}
        self._longest = fields["longest_seconds"]

    def admit(self, fields):
        """Give the policy to work by: the request's own as far as it lies within this node's.

        Raises:
            Refused: the program or the time it asks for is not allowed.
            BadRequest: its policy is not of the form that this version knows.
        """
        verb, program = fields["verb"], fields["program"]
        if program not in self._programs[verb]:
            raise Refused("this node's policy does not allow {} to {}".format(program, verb), PREPARE_ANEW)
        if fields["deadline_seconds"] > self._longest:
            what = "this node's policy allows {:.0f} s at most, not {:.0f} s"
            raise Refused(what.format(self._longest, fields["deadline_seconds"]), PREPARE_ANEW)
        if fields["policy"] is None:
            policy = self._policy
        else:
            policy = Policy(fields["policy"])
            keep_within(self._policy, policy)
            if program == "hello":
                for why in policy.outside.values():
                    journal.warn(why)
        policy.prepared = True
        return policy


def _checked(check, *arguments):
    try:
        return check(*arguments)
    except (BadRequest, Refused) as error:
        raise Refused("the policy file {} is not valid: {}".format(place.POLICY, error.what), _REPAIR) from None


def _fields(raw):
    fields = _checked(parse, raw, "it")
    _checked(mapping, fields, "it", _OURS, None)
    if fields["format"] != FORMAT:
        raise Refused("the policy file {} is not of format {}".format(place.POLICY, FORMAT), _REPAIR)
    programs = _checked(mapping, fields["programs"], "programs", ("observe", "act"))
    for verb in programs:
        for program in _checked(texts, programs[verb], "programs." + verb, 0, 256):
            _checked(name, program, "programs." + verb)
    _checked(number, fields["longest_seconds"], "longest_seconds", 1, LONGEST)
    return fields


def _read(path):
    try:
        _check_owners(path, "the policy file")
        with open(path, "rb", opener=_open_plain) as file:
            raw = file.read(_MAX_BYTES + 1)
    except OSError as error:
        what = "the policy file {} cannot be read: {}".format(path, error.strerror)
        raise Refused(what, _REPAIR) from None
    if len(raw) > _MAX_BYTES:
        raise Refused("the policy file {} is larger than 256 kB".format(path), _REPAIR)
    return raw


def _open_plain(path, flags):
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)


def _check_owners(path, what):
    """Every folder above must be out of others' hands too: whoever may rename in one of them decides what lies below.

    Raises:
        Refused: somebody else could have put it there.
        OSError: it is not there.
    """
    own = (path, os.path.dirname(path))
    while True:
        status = os.lstat(path)
        if not (stat.S_ISREG if path == own[0] else stat.S_ISDIR)(status.st_mode):
            raise Refused("{}: {} is a link or something else than it should be".format(what, path), _REPAIR)
        if status.st_uid not in (0, place.OWNER):
            raise Refused("{}: {} belongs to user {}, not to root".format(what, path, status.st_uid), _REPAIR)
        if _others_may_write(status.st_mode, path in own):
            raise Refused("{}: others may write to {}".format(what, path), _REPAIR)
        if path == "/":
            return
        path = os.path.dirname(path)


def _others_may_write(mode, own):
    # Above our own folder a group may write, as Debian's `staff` may below /usr/local, and anybody to one like /tmp.
    return mode & (stat.S_IWGRP | stat.S_IWOTH) if own else mode & stat.S_IWOTH and not mode & stat.S_ISVTX
