"""What a node's program may answer. A node is not believed: every answer is checked before anything uses it."""

import json
import math
import re
from collections.abc import Sequence
from typing import Any, cast

from pydantic import JsonValue, ValidationError

from maintainer.links.node_shapes import SHAPES
from maintainer.links.store_shapes import STORE_SHAPES

FORMAT = "maintainer.node/2"
MAX_BYTES = 8_000_000
MAX_DEADLINE_SECONDS = 24 * 3600  # a node takes no request that may last longer
_MAX_DEPTH = 32
_MAX_DIGITS = 18
_MAX_SENTENCE = 500
TROUBLES = ("refused", "bad-request", "failed", "deadline", "held")


class Trouble(Exception):
    """The node's sentence why there is no answer."""

    def __init__(self, word: str, what: str, hint: str) -> None:
        super().__init__(what)
        self.word, self.what, self.hint = word, what, hint


class Undocumented(ValueError):
    """What a program answered is not what it documents."""


Outcome = JsonValue | Trouble | Undocumented
"""What became of one question."""


def parse(raw: bytes, program: str) -> JsonValue:
    """Give the answer that the envelope of an acting program holds.

    Raises:
        Trouble: the envelope holds a sentence instead.
        ValueError: it is no envelope of ours, or what it holds is not what the program documents; says so in a few
            words that hold nothing of it.
    """
    fields = _envelope(raw, "answer")
    return _checked(fields["answer"], program)


def parse_all(raw: bytes, programs: Sequence[str]) -> list[Outcome]:
    """Give what became of each question, in the order in which they were asked.

    Raises:
        Trouble: the envelope holds a sentence instead, about all of them.
        ValueError: it is no envelope of ours, or not one of answers to these questions. Then none of it is believed.
    """
    answers = _envelope(raw, "answers")["answers"]
    if not isinstance(answers, list) or len(answers) != len(programs):
        raise ValueError("it has not one answer for each question")
    return [_outcome(answer, program) for answer, program in zip(answers, programs, strict=True)]


def _outcome(answer: Any, program: str) -> Outcome:
    if not isinstance(answer, dict) or answer.get("program") != program:
        raise ValueError(f"it has the answer of another program in the place of {program}")
    if answer.get("ok") is False and answer.keys() == {"program", "ok", "error"}:
        return _trouble(answer["error"])
    if answer.get("ok") is not True or answer.keys() != {"program", "ok", "answer"}:
        raise ValueError("it is not of the expected format")
    try:
        return _checked(answer["answer"], program)
    except Undocumented as error:
        return error


def _envelope(raw: bytes, holds: str) -> dict[str, Any]:
    if not raw:
        raise ValueError("there was no output")
    if len(raw) > MAX_BYTES:
        raise ValueError("it is larger than 8 MB")
    fields = _load(raw)
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise ValueError(_foreign(fields.get("format") if isinstance(fields, dict) else None))
    if fields.get("ok") is True and fields.keys() == {"format", "ok", holds}:
        return fields
    if fields.get("ok") is False and fields.keys() == {"format", "ok", "error"}:
        raise _trouble(fields["error"])
    raise ValueError("it is not of the expected format")


def verdict(operation: dict[str, Any], program: str) -> JsonValue:
    """Give what a finished operation answered, as if it had just been asked.

    Raises:
        Trouble: it ended in a sentence instead.
        ValueError: what it left is not what the program documents.
    """
    if operation["ok"]:
        return _checked(operation["answer"], program)
    raise _trouble(operation["error"])


def _foreign(name: Any) -> str:
    """Say of what format it is, where another version of our own program gave it.

    >>> _foreign("maintainer.node/7"), _foreign("something else")
    ('it is of format maintainer.node/7, and this version reads maintainer.node/2', 'it is not of the expected format')
    """
    if isinstance(name, str) and re.fullmatch(r"maintainer\.node/[0-9]{1,4}", name):
        return f"it is of format {name}, and this version reads {FORMAT}"
    return "it is not of the expected format"


def _load(raw: bytes) -> Any:
    try:
        value = json.loads(raw.decode("ascii"), parse_int=_whole, parse_float=_finite, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False).encode()  # lone surrogates fit into JSON but into no file or terminal
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    if _depth(value) > _MAX_DEPTH:
        raise ValueError("it is nested too deeply")
    return value


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level and depth <= _MAX_DEPTH:
        depth += 1
        containers = (item for item in level if isinstance(item, dict | list))
        level = [below for item in containers for below in (item.values() if isinstance(item, dict) else item)]
    return depth


def _whole(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError
    return int(digits)


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError
    return number


def _no_constant(word: str) -> float:
    raise ValueError(word)


def _trouble(error: Any) -> Trouble:
    words = ("class", "what", "hint")
    if not isinstance(error, dict) or error.keys() != set(words) or not all(isinstance(error[w], str) for w in words):
        raise ValueError("it is not of the expected format")
    if error["class"] not in TROUBLES:
        raise ValueError("it is not of the expected format")
    return Trouble(*("".join(c for c in error[word][:_MAX_SENTENCE] if c.isprintable()) for word in words))


def _checked(answer: Any, program: str) -> JsonValue:
    shape = SHAPES.get(program) or STORE_SHAPES.get(program)
    try:
        if shape:
            shape.validate_python(answer)
    except ValidationError as error:
        places = sorted({str(place) for problem in error.errors() for place in problem["loc"][-1:]})
        raise Undocumented(f"{program} answered what it does not document ({', '.join(places)[:100]})") from None
    return cast(JsonValue, answer)
