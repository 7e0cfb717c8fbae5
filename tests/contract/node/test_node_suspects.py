"""What a node gives away of a suspect for a deeper look: its header, and none of its pixels."""

import base64
from collections.abc import Callable

import pytest

from tests.contract.node.hostile import EXPLICIT, HOSTILE, IMAGE, NAME, PIXELS, deflated, part_10
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
