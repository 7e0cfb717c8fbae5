"""One JSON request in, one JSON answer out: both bounded, both strict, so that neither end can exhaust the other.

Who observes asks several questions at once, and each has its own answer; who acts asks for one thing.
"""

import json
import re

FORMAT = "maintainer.node/2"
MAX_BYTES = 8000000
MAX_ANSWER_BYTES = 7900000  # the link counts what the node says on stderr, too
_MAX_DIGITS = 18
MAX_DEADLINE_SECONDS = 24 * 3600
MAX_QUESTIONS = 64
MAX_WAIT_SECONDS = 20
VERBS = ("observe", "act")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}\Z")
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}\Z")
_SENT_PROGRAM = re.compile(rb"[0-9]{1,8}\nPK")
_FIELDS = ("format", "verb", "deadline_seconds", "policy")
_QUESTION = ("program", "request")


class Trouble(Exception):
    """A request that gets no answer but a sentence. `word` is its class in the envelope."""

    word = "failed"

    def __init__(self, what, hint=""):
        super().__init__(what)
        self.what, self.hint = what, hint


class Failed(Trouble):
    """It was tried and did not succeed."""


class Refused(Trouble):
    """The node's own rules say no. Nothing was done."""

    word = "refused"


class Held(Trouble):
    """Somebody else holds this node. Nothing was done."""

    word = "held"


class BadRequest(Trouble):
    """The request is not one that this version understands. Nothing was done."""

    word = "bad-request"


class DeadlinePassed(Trouble):
    """The time that the request was given is over."""

    word = "deadline"


def read_request(stream):
    """Read the stream to its end and give the envelope's fields.

    Raises:
        BadRequest: too large, not JSON, or not of this format.
    """
    raw = stream.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise BadRequest("the request is larger than 8 MB")
    if _SENT_PROGRAM.match(raw):
        what = "this node is prepared: it runs its own program and none that is sent to it"
        raise BadRequest(what, "write prepared = true in [nodes.NAME.ssh]")
    fields = mapping(parse(raw, "the request"), "request", ("format", "verb"), None)
    if fields["format"] != FORMAT:
        raise BadRequest("the request is not of format {}: one end is of another version".format(FORMAT))
    if fields["verb"] not in VERBS:
        raise BadRequest("the verb is neither observe nor act")
    (_check_questions if fields["verb"] == "observe" else _check_act)(fields)
    number(fields["deadline_seconds"], "deadline_seconds", 0.1, MAX_DEADLINE_SECONDS)
    return fields


def _check_questions(fields):
    questions = mapping(fields, "request", (*_FIELDS, "questions"))["questions"]
    if not isinstance(questions, list) or not 0 < len(questions) <= MAX_QUESTIONS:
        raise BadRequest("questions is not a list of 1 to {} questions".format(MAX_QUESTIONS))
    for question in questions:
        _check_question(mapping(question, "question", _QUESTION))


def _check_act(fields):
    mapping(fields, "request", (*_FIELDS, *_QUESTION), ("lease", "launch", "wait_seconds"))
    if "launch" in fields and (not isinstance(fields["launch"], str) or not _ID.match(fields["launch"])):
        raise BadRequest("launch is not an id of small letters, digits and hyphens")
    number(fields.get("wait_seconds", 0), "wait_seconds", 0, MAX_WAIT_SECONDS)
    _check_question(fields)


def _check_question(fields):
    name(fields["program"], "program")
    mapping(fields["request"], "request.request", required=(), optional=None)


def write_answer(answer):
    """Bytes of a good answer.

    Raises:
        Failed: it would be larger than the other end accepts.
    """
    raw = _dump({"format": FORMAT, "ok": True, "answer": answer})
    if len(raw) > MAX_ANSWER_BYTES:
        raise Failed("the answer is larger than 7.9 MB", "ask for less at once")
    return raw


def write_answers(outcomes):
    """Bytes of what became of several questions: (program, answer or Trouble) each. One too large costs no other."""
    parts, left = [], MAX_ANSWER_BYTES
    for program, outcome in outcomes:
        part = _part(program, outcome)
        if len(part) > left:
            part = _part(program, Failed("the answer is larger than 7.9 MB", "ask for less at once"))
        parts.append(part)
        left -= len(part)
    return b'{"format":"%s","ok":true,"answers":[%s]}' % (FORMAT.encode("ascii"), b",".join(parts))


def _part(program, outcome):
    if isinstance(outcome, Trouble):
        return _dump({"program": program, "ok": False, "error": _error(outcome)})
    try:
        return _dump({"program": program, "ok": True, "answer": outcome})
    except (TypeError, ValueError, RecursionError):
        return _part(program, Failed("the program on the node broke: its answer is not JSON", "please report this"))


def write_trouble(trouble):
    return _dump({"format": FORMAT, "ok": False, "error": _error(trouble)})


def _error(trouble):
    return {"class": trouble.word, "what": plain(trouble.what), "hint": plain(trouble.hint)}


def mapping(value, where, required, optional=()):
    """Check for an object with exactly these fields; `optional=None` allows any other."""
    if not isinstance(value, dict):
        raise BadRequest(where + " is not an object")
    missing = sorted(set(required) - set(value))
    if missing:
        raise BadRequest("{}: {} is missing".format(where, missing[0]))
    unknown = sorted(set(value) - set(required) - set(optional or ())) if optional is not None else ()
    if unknown:
        raise BadRequest("{}: {} is not known here".format(where, plain(unknown[0], 63)))
    return value


def name(value, where):
    if not isinstance(value, str) or not _NAME.match(value):
        raise BadRequest(where + " is not a name")
    return value


def text(value, where, limit=1024):
    if not isinstance(value, str) or not 0 < len(value) <= limit or "\0" in value:
        raise BadRequest("{} is not a text of 1 to {} characters".format(where, limit))
    return value


def number(value, where, least, most):
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise BadRequest("{} is not a number from {} to {}".format(where, least, most))
    return value


def texts(value, where, least=0, most=64):
    if not isinstance(value, list) or not least <= len(value) <= most:
        raise BadRequest("{} is not a list of {} to {} texts".format(where, least, most))
    return tuple(text(item, where) for item in value)


def parse(raw, what):
    """One JSON object, within bounds and without a field that stands twice."""
    try:
        return json.loads(
            raw.decode("utf-8"), parse_int=_whole, parse_constant=_no_constant, object_pairs_hook=_no_duplicates
        )
    except (ValueError, RecursionError):
        raise BadRequest(what + " is not one JSON object") from None


def _whole(digits):
    # int() of a long text takes quadratic time.
    if len(digits) > _MAX_DIGITS:
        raise ValueError("an integer out of range")
    return int(digits)


def _no_constant(word):
    raise ValueError(word)


def _no_duplicates(pairs):
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field stands twice")
    return fields


def plain(sentence, limit=500):
    """A sentence that cannot steer a terminal or forge a line of a log."""
    return "".join(c if c.isprintable() else " " for c in str(sentence))[:limit]


def _dump(value):
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")
