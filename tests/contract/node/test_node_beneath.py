"""A file of the store is opened in one step where the kernel can see to it that no link is followed, else in more."""

import errno
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from maintainer.node import kernel
from maintainer.node.store import Store

HAS_OPENAT2 = tuple(map(int, os.uname().release.split(".")[:2])) >= (5, 6)
IN_ONE_STEP = kernel.beneath(os.O_RDONLY)


@pytest.fixture(params=["in one step", "step by step"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """On this kernel, and as on one that cannot open in one step."""
    if request.param == "step by step":
        monkeypatch.setitem(kernel._NUMBERS, os.uname().machine, {})
    (tmp_path / "store" / "aa" / "bb").mkdir(parents=True)
    (tmp_path / "store" / "aa" / "bb" / "image").write_bytes(b"image")
    (tmp_path / "outside").write_bytes(b"outside")
    return Store(str(tmp_path / "store"), lambda _name: True)


@pytest.fixture
def top(store: Store) -> Iterator[int]:
    opened = store.open_top()
    yield opened
    os.close(opened)


def test_a_file_is_opened_for_reading_only(store: Store, top: int) -> None:
    """And no program that is started inherits it."""
    opened = store.open_object(top, "aa/bb/image")
    assert os.read(opened, 10) == b"image"
    assert not os.get_inheritable(opened)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.write(opened, b"x")
    os.close(opened)


@pytest.mark.skipif(os.geteuid() != 0 or not HAS_OPENAT2, reason="only root reads without a trace, since Linux 5.6")
def test_root_leaves_no_trace_of_reading(tmp_path: Path) -> None:
    """When a file was read last stays what it was, and no disk writes that down for each file of a store."""
    (tmp_path / "image").write_bytes(b"image")
    os.utime(tmp_path / "image", (1, 1))
    store = Store(str(tmp_path), lambda _name: True)
    top = store.open_top()
    opened = store.open_object(top, "image")
    assert os.read(opened, 10) == b"image"
    os.close(opened)
    os.close(top)
    assert (tmp_path / "image").stat().st_atime == 1


@pytest.mark.parametrize(
    ("link", "target", "path"),
    [
        ("aa/link", "bb/image", "aa/link"),
        ("aa/link", "bb", "aa/link/image"),
        ("link", "../outside", "link"),
        ("link", "/", "link/etc/hostname"),
        ("link", "link", "link"),
        ("gone", "nothing", "gone"),
    ],
)
def test_no_link_is_followed(store: Store, top: int, link: str, target: str, path: str) -> None:
    """Wherever it stands on the way, and wherever it leads."""
    (Path(store.path) / link).symlink_to(target)
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)) as caught:
        store.open_object(top, path)
    assert caught.value.errno == errno.ELOOP


def test_what_is_not_there_is_told(store: Store, top: int) -> None:
    """A name, and a folder that is a file."""
    with pytest.raises(FileNotFoundError):
        store.open_object(top, "aa/cc/image")
    with pytest.raises(NotADirectoryError):
        store.open_object(top, "aa/bb/image/more")


def test_nobody_waits_for_what_is_no_file(store: Store, top: int) -> None:
    """A pipe is opened without its other end; what cannot be opened says so."""
    os.mkfifo(Path(store.path) / "pipe")
    opened = store.open_object(top, "pipe")
    assert stat.S_ISFIFO(os.fstat(opened).st_mode)
    os.close(opened)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"/proc/self/fd/{top}/socket")
        with pytest.raises(OSError, match=os.strerror(errno.ENXIO)):
            store.open_object(top, "socket")


@pytest.mark.skipif(not HAS_OPENAT2, reason="this kernel is older than Linux 5.6")
def test_in_one_step_only_what_lies_below(tmp_path: Path) -> None:
    """It opens what is there, and neither what a link nor what a path leads to outside."""
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "file").touch()
    (tmp_path / "below" / "link").symlink_to("file")
    (tmp_path / "outside").touch()
    folder = os.open(tmp_path / "below", os.O_RDONLY)
    opened = IN_ONE_STEP(folder, "file")
    assert opened >= 0
    for path in ("link", "../outside", str(tmp_path / "outside"), "nothing", "file/file"):
        assert IN_ONE_STEP(folder, path) == -1
    os.close(opened)
    os.close(folder)
