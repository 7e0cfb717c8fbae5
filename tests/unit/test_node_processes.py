"""What counts as code that is no longer on the disk, from lines as /proc writes them."""

from pathlib import Path
from typing import Any

import pytest

from maintainer.node import observe_processes
from maintainer.node.sock_diag import bytes_received, messages
from tasks.node.observe_boot import by_number, newest_kernel

MAPS = """\
7f10 r-xp 00000000 fd:01 1234      /usr/lib/x86_64-linux-gnu/libssl.so.3 (deleted)
7f11 r--p 00000000 fd:01 1235      /usr/lib/x86_64-linux-gnu/libpq.so.5 (deleted)
7f12 rw-s 00000000 fd:01 1236      /srv/dicom/aa/bb/1.2.840.113619.2 (deleted)
7f13 r-xp 00000000 fd:01 1237      /usr/lib/x86_64-linux-gnu/libc.so.6
7f14 r-xp 00000000 00:01 1238      /memfd:doublemapper (deleted)
7f15 rwxs 00000000 00:01 1239      /dev/shm/jit (deleted)
7f16 rwxp 00000000 00:00 0
7f17 r-xp 00000000 fd:01 1240      /opt/pacs/bin/archive server (deleted)
7f18 r-xp 00000000 fd:01 1241      /usr/sbin/orthanc (deleted)
"""


def deleted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, maps: str) -> Any:
    file = tmp_path / "maps"
    file.write_text(maps)
    real = open
    monkeypatch.setattr("builtins.open", lambda path, *a, **k: real(file if path == "/proc/9/maps" else path, *a, **k))
    return observe_processes.deleted_code(9)


def test_only_code_of_files_that_are_gone_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Data, memory files and what a program unlinks by habit do not; a strange name is not repeated."""
    assert deleted(monkeypatch, tmp_path, MAPS) == {"libssl.so.3", "a file of another name", "orthanc"}


@pytest.mark.parametrize("maps", ["", "nonsense\n", "7f10 r-xp 0 fd:01 1 (deleted)\n", "\x00" * 100])
def test_lines_that_nobody_expects_are_no_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, maps: str) -> None:
    """Whatever stands there, nothing breaks and nothing is found."""
    assert deleted(monkeypatch, tmp_path, maps) == set()


def test_kernels_are_ordered_by_number(tmp_path: Path) -> None:
    """Ten comes after nine; rescue images and strange names are no kernels."""
    for name in ("vmlinuz-6.1.0-9-amd64", "vmlinuz-6.1.0-10-amd64", "vmlinuz-0-rescue-9f", "vmlinuz-a b", "config-7.0"):
        (tmp_path / name).touch()
    assert newest_kernel(str(tmp_path)) == "6.1.0-10-amd64"
    assert newest_kernel(str(tmp_path / "none")) is None
    assert by_number("5.14.0-503.el9") > by_number("5.14.0-70.el9")


@pytest.mark.parametrize("raw", [b"", b"\x01", bytes(16), b"\xff" * 16, b"\x08\0\0\0" + bytes(12)])
def test_answers_of_a_kernel_that_lies_have_an_end(raw: bytes) -> None:
    """Lengths of nothing or of more than there is neither loop nor raise."""
    assert len(list(messages(raw))) <= 1
    assert bytes_received(bytes(72) + raw) is None
