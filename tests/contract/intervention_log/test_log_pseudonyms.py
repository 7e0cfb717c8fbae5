"""Names for patients' objects: stable, keyed, and to be resolved on the controller only."""

import stat
import threading
from pathlib import Path

import pytest

from maintainer.errors import LogError
from maintainer.intervention_log.pseudonyms import Pseudonyms

UID = "1.2.840.113619.2.5.1762583153.215519.978957063.78"


def test_a_name_tells_nothing_and_can_be_resolved(tmp_path: Path) -> None:
    """The name has the kind and 16 digits; only the private file leads back."""
    with Pseudonyms(tmp_path) as names:
        name = names.of("object", UID)
        assert names.reveal(name) == UID
    assert name.startswith("object-")
    assert len(name) == len("object-") + 16
    assert Pseudonyms(tmp_path).reveal(name) == UID


def test_a_name_is_the_same_on_every_night(tmp_path: Path) -> None:
    """Findings about one object can be followed over time."""
    with Pseudonyms(tmp_path) as first, Pseudonyms(tmp_path) as second:
        assert first.of("object", UID) == second.of("object", UID) == first.of("object", UID)
        assert first.of("file", UID)[-16:] != first.of("object", UID)[-16:]


def test_without_the_key_a_name_cannot_be_guessed(tmp_path: Path) -> None:
    """UIDs can be enumerated; a plain hash would give them away."""
    with Pseudonyms(tmp_path / "a") as one, Pseudonyms(tmp_path / "b") as other:
        assert one.of("object", UID) != other.of("object", UID)


def test_the_private_files_are_their_owners_alone(tmp_path: Path) -> None:
    """Key, mapping and what SQLite lays beside it."""
    with Pseudonyms(tmp_path / "state") as names:
        names.of("object", UID)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "state").iterdir()}
    assert {"pseudonym.key", "private.sqlite"} <= modes.keys()
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("value", ["/store/\udcff\udcfe/x", "", "a\0b", "É" * 5000])
def test_any_path_of_a_node_comes_back_as_it_was(tmp_path: Path, value: str) -> None:
    """File names are bytes, not always UTF-8."""
    with Pseudonyms(tmp_path) as names:
        assert names.reveal(names.of("file", value)) == value


def test_threads_may_share_it(tmp_path: Path) -> None:
    """Nodes are looked at in parallel."""
    with Pseudonyms(tmp_path) as names:
        threads = [
            threading.Thread(target=lambda: [names.of("object", f"1.2.{n}") for n in range(200)], daemon=True)
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert names.reveal(names.of("object", "1.2.199")) == "1.2.199"


def test_a_name_that_cannot_be_remembered_is_not_given(tmp_path: Path) -> None:
    """A pseudonym that nobody could resolve would make its finding useless."""
    (tmp_path / "private.sqlite").mkdir()
    (tmp_path / "pseudonym.key").write_bytes(b"k" * 32)
    with Pseudonyms(tmp_path) as names, pytest.raises(LogError, match="private file of pseudonyms"):
        names.of("object", UID)


def test_a_damaged_mapping_is_said(tmp_path: Path) -> None:
    """Not a traceback, and not a new empty file in its place."""
    (tmp_path / "private.sqlite").write_bytes(b"rubbish" * 1000)
    (tmp_path / "pseudonym.key").write_bytes(b"k" * 32)
    with Pseudonyms(tmp_path) as names:
        with pytest.raises(LogError, match="cannot be used"):
            names.of("object", UID)
        with pytest.raises(LogError, match="cannot be used"):
            names.reveal("object-0000000000000000")


@pytest.mark.parametrize("key", [None, b"short"])
def test_a_lost_or_damaged_key_is_not_made_anew(tmp_path: Path, key: bytes | None) -> None:
    """New names would silently part from those on record."""
    with Pseudonyms(tmp_path) as names:
        names.of("object", UID)
    (tmp_path / "pseudonym.key").unlink()
    if key is not None:
        (tmp_path / "pseudonym.key").write_bytes(key)
    with Pseudonyms(tmp_path) as names, pytest.raises(LogError, match="key of the pseudonyms is"):
        names.of("object", UID)


def test_asking_makes_nothing(tmp_path: Path) -> None:
    """`log reveal` on a fresh machine answers that there is no such name."""
    assert Pseudonyms(tmp_path / "state").reveal("object-0000000000000000") is None
    assert not (tmp_path / "state").exists()
