"""Two Ed25519 implementations and two readers of signed notes, which must agree."""

import base64
import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from maintainer.errors import LogError
from maintainer.intervention_log import verifier
from maintainer.intervention_log.checkpoint import Checker, Checkpoint, SigningKey, read_public_key

KEY = SigningKey("site-a", b"\x07" * 32)
SIGNED = Checkpoint("site-a", 41, "ab" * 32)
NOTE = KEY.sign(SIGNED)

# Source: RFC 8032, 7.1, tests 1 to 3: public key, message, signature.
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


def accepts(key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@pytest.mark.parametrize(("key", "message", "signature"), VECTORS)
def test_the_standards_own_examples_verify(key: str, message: str, signature: str) -> None:
    """The verifier's mathematics gives what RFC 8032 gives."""
    assert verifier.is_signed(bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(signature))


@settings(deadline=None, max_examples=40)
@given(seed=st.binary(min_size=32, max_size=32), message=st.binary(max_size=60), flip=st.integers(0, 96 * 8 - 1))
def test_both_implementations_give_the_same_answer(seed: bytes, message: bytes, flip: int) -> None:
    """A good signature is accepted by both; with any bit of key or signature flipped, by neither."""
    key = SigningKey("a", seed)
    good = key.public.raw + key._key.sign(message)
    assert verifier.is_signed(good[:32], message, good[32:])
    bad = bytearray(good)
    bad[flip // 8] ^= 1 << flip % 8
    assert not verifier.is_signed(bytes(bad[:32]), message, bytes(bad[32:]))
    assert not accepts(bytes(bad[:32]), message, bytes(bad[32:]))


def test_a_signature_with_a_second_form_is_refused() -> None:
    """S and S plus the order of the group would both verify; only the smaller is one."""
    good = KEY._key.sign(b"m")
    s = int.from_bytes(good[32:], "little") + verifier.ORDER
    assert not verifier.is_signed(KEY.public.raw, b"m", good[:32] + s.to_bytes(32, "little"))


def test_a_note_is_text_that_a_person_can_read() -> None:
    """Origin, number of records and hash, each on its line, then one signature."""
    lines = NOTE.splitlines()
    assert lines[:4] == ["site-a", "41", base64.b64encode(b"\xab" * 32).decode(), ""]
    assert lines[4].startswith("— site-a ")


def test_both_readers_read_what_was_signed() -> None:
    """The product and the stand-alone verifier see the same checkpoint."""
    assert Checker(KEY.public).read(NOTE, "") == SIGNED
    assert verifier.Key(KEY.public.text(), "").read(NOTE, "") == SIGNED


def test_one_signature_among_others_is_enough() -> None:
    """A witness may add its own signature line to a note."""
    other = SigningKey("witness", b"\x09" * 32).sign(SIGNED).splitlines()[-1]
    text, ours = NOTE.rsplit("\n— ", 1)
    both = f"{text}\n{other}\n— {ours}"
    assert Checker(KEY.public).read(both, "") == SIGNED
    assert verifier.Key(KEY.public.text(), "").read(both, "") == SIGNED


@settings(deadline=None, max_examples=60)
@given(where=st.integers(0, len(NOTE) - 1), char=st.characters(codec="utf-8"))
def test_an_altered_note_is_believed_by_nobody(where: int, char: str) -> None:
    """Any other character at any place is refused by both readers, or is the same note."""
    altered = NOTE[:where] + char + NOTE[where + 1 :]
    if altered == NOTE:
        return
    with pytest.raises(LogError):
        Checker(KEY.public).read(altered, "here")
    with pytest.raises(verifier.WrongError):
        verifier.Key(KEY.public.text(), "").read(altered, "here")


@pytest.mark.parametrize(
    "text", ["", "site-a", "site-a+00000000+AAAA", KEY.public.text()[:-2] + "A=", KEY.public.text() + "x", "é+é+é"]
)
def test_a_mistyped_key_is_not_a_key(text: str) -> None:
    """A key's text carries its own check, so that a wrong copy is not mistaken for a swapped key."""
    with pytest.raises(LogError, match="not the public key of a log"):
        read_public_key(text, "here")
    with pytest.raises(verifier.WrongError, match="not the public key of a log"):
        verifier.Key(text, "here")


def test_a_key_is_named_as_c2sp_names_it() -> None:
    """The id is the beginning of a hash over name, kind and key."""
    expected = hashlib.sha256(b"site-a\n\x01" + KEY.public.raw).hexdigest()[:8]
    assert KEY.public.text().split("+")[1] == expected
    assert read_public_key(KEY.public.text() + "\n", "here") == KEY.public
