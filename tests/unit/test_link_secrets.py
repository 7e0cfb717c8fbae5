"""Where secrets may be read from, and what is never said about them."""

import os
from pathlib import Path

import pytest

from maintainer.errors import CouldNotLook
from maintainer.links.secrets import read_private_key, read_secret
from maintainer.model.inventory import SecretCredential, SecretFile


def written(path: Path, content: bytes, mode: int = 0o600) -> SecretFile:
    path.write_bytes(content)
    path.chmod(mode)
    return SecretFile(file=str(path))


@pytest.mark.parametrize("content", [b"canary", b"canary\n", b"canary\r\n"])
def test_a_secret_is_the_files_only_line(tmp_path: Path, content: bytes) -> None:
    """An editor's line end is not part of the secret."""
    assert read_secret(written(tmp_path / "secret", content)) == "canary"


def test_spaces_belong_to_the_secret(tmp_path: Path) -> None:
    """A password may begin or end with a space."""
    assert read_secret(written(tmp_path / "secret", b" two words ")) == " two words "


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"canary\nsecond\n", "not one line"),
        (b"canary\x00", "not one line"),
        (b"\xffcanary", "not UTF-8"),
        (b"canary" * 20_000, "larger than"),
    ],
)
def test_a_file_that_holds_no_secret(tmp_path: Path, content: bytes, sentence: str) -> None:
    """Each mistake is said with the path, and never with the content."""
    with pytest.raises(CouldNotLook, match=sentence) as refusal:
        read_secret(written(tmp_path / "secret", content))
    assert refusal.value.where == str(tmp_path / "secret")
    assert refusal.value.hint
    assert "canary" not in str(refusal.value)
    assert refusal.value.__cause__ is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_file_that_others_can_reach(tmp_path: Path, mode: int) -> None:
    """A secret that others can read is none; one that they can write is theirs."""
    with pytest.raises(CouldNotLook, match="others can read or change"):
        read_secret(written(tmp_path / "secret", b"canary", mode))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The system's reason is passed on."""
    with pytest.raises(CouldNotLook, match="cannot be read: No such file"):
        read_secret(SecretFile(file=str(tmp_path / "secret")))


def test_a_folder_or_a_pipe_is_no_secret(tmp_path: Path) -> None:
    """A pipe in the secret's place must not hold the night's run."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(CouldNotLook, match="not a regular file"):
            read_secret(SecretFile(file=str(path)))


def test_a_credential_of_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ACL by which systemd lets the unit's user in shows as a group that may read."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    written(tmp_path / "database", b"canary", 0o440)
    assert read_secret(SecretCredential(credential="database")) == "canary"
    (tmp_path / "database").chmod(0o444)
    with pytest.raises(CouldNotLook, match="others can read"):
        read_secret(SecretCredential(credential="database"))


def test_a_credential_without_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run by hand, there are no credentials: the hint names the unit's setting."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(CouldNotLook, match="no credentials") as refusal:
        read_secret(SecretCredential(credential="database"))
    assert "LoadCredential=database:" in refusal.value.hint


def test_a_private_key_has_many_lines(tmp_path: Path) -> None:
    """A key file is read whole."""
    content = b"-----BEGIN\nabc\n-----END\n"
    assert read_private_key(written(tmp_path / "key", content)) == (content.decode(), str(tmp_path / "key"))
