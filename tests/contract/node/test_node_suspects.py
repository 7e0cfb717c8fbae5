"""What a node gives away of a suspect for a deeper look: its header, and none of its pixels."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from maintainer.archives.register import product
from maintainer.links.store_ledger import seen
from tests.contract.node.hostile import EXPLICIT, HOSTILE, IMAGE, NAME, PIXELS, deflated, part_10
from tests.contract.node.ledger_nights import learn, put, read, row, settle
from tests.contract.node.own_node import OwnNode

LIMIT, AFTER = 262_144, 4096


@pytest.fixture
def header(own_node: OwnNode) -> Callable[[bytes], bytes]:
    """Store an object and ask for its header."""

    def ask(content: bytes) -> bytes:
        (own_node.store / "suspect").write_bytes(content)
        answer = own_node.observe("store-header", path="suspect", limit=LIMIT)
        return base64.b64decode(answer["bytes_base64"])

    return ask


def test_the_header_of_a_sound_object_ends_with_its_pixels_length(header: Callable[[bytes], bytes]) -> None:
    """Tag, VR and length of the pixel data are the last that is given."""
    assert header(IMAGE) == IMAGE[: IMAGE.index(PIXELS) + len(PIXELS) + 4]


def test_the_header_of_a_broken_object_ends_a_little_after_the_break(header: Callable[[bytes], bytes]) -> None:
    """So that what follows can be pixels only by accident, and by a few."""
    broken = part_10(NAME + b"\x10\0\x20\0ZZ\x02\0ab" + bytes(100_000), EXPLICIT)
    given = header(broken)
    assert broken.startswith(given)
    assert len(given) == broken.index(b"ZZ") - 4 + AFTER


@pytest.mark.parametrize("name", ["fewer pixels than described", "pixels that never end", "pixels of garbage"])
def test_no_pixel_of_an_object_with_broken_pixels_is_given(header: Callable[[bytes], bytes], name: str) -> None:
    """Whatever is wrong with pixel data, they stay on the node."""
    content = HOSTILE[name][0]()
    assert header(content) == content[: content.index(PIXELS) + len(PIXELS) + 4]


def test_a_header_is_bounded(header: Callable[[bytes], bytes]) -> None:
    """No more than was asked for, of a header that goes on."""
    assert len(header(part_10(NAME * 100_000))) == LIMIT
    assert len(header(deflated(NAME * 10))) < LIMIT


BROKEN = part_10(NAME + b"\x10\0\x20\0LO\x04\0abc", EXPLICIT)


@pytest.fixture
def look(own_node: OwnNode) -> Callable[[], Any]:
    """Read a store with one broken object and one sound one into a ledger, another time each time, and look at it."""
    put(own_node, 0, BROKEN)
    put(own_node, 1)
    learn(own_node, row(0, size=len(BROKEN), digest=None), row(1))

    def ask(program: str, request: dict[str, Any]) -> Any:
        return own_node.observe(program, **request)

    def read_and_look() -> Any:
        read(own_node)
        settle(own_node)
        nothing_new = [{"objects": 0, "bytes": 0, "reached": None}]
        told: Any = seen(product("orthanc"), lambda *_: nothing_new, ask)
        return told["ledger"]

    return read_and_look


def test_a_finding_of_the_ledger_says_what_pydicom_says(look: Callable[[], Any]) -> None:
    """What lies broken in a store from the first night on has pydicom's word in its evidence at each look."""
    (found,) = look()["deviations"]
    assert (found["verdict"], found["evidence"]["why"], found["evidence"]["pydicom"]) == (
        "header",
        "past-end",
        "reads it",
    )


def test_what_lies_broken_is_told_each_night(look: Callable[[], Any], own_node: OwnNode) -> None:
    """Its content being what it was makes it no better; only what was sound stays sound with its content."""
    first, second = look(), look()
    assert [one["verdict"] for one in second["deviations"]] == ["header"]
    assert (first["verified"], second["verified"]) == ({**NONE, "archive": 1}, {**NONE, "archive": 1})
    put(own_node, 1, part_10(b"\x10\0\x10\0ZZ").ljust(len(IMAGE), b"x"))
    found = {one["verdict"]: one["evidence"] for one in look()["deviations"]}
    assert found["modified"]["header"] == "bad-vr"


NONE = {"archive": 0, "baseline": 0, "baselined": 0}
