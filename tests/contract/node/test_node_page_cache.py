"""The reading of a store leaves the page cache as it was, though it fetches ahead of what it reads.

The files lie on a real disk, and the kernel tells what of them is in its cache.
"""

import ctypes
import mmap
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from maintainer.node.deadline import Deadline
from maintainer.node.object_opening import AHEAD, Ahead
from maintainer.node.object_reading import Reader
from maintainer.node.store import Store

SIZES = [5_000, 526_000, 3_000_000]
_LIBC = ctypes.CDLL(None)


class OnDisk:
    """A store whose files are out of the page cache until somebody reads them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        store = Store(str(folder), lambda _name: True)
        self.top = store.open_top()
        self.reader = Reader(store, self.top, Deadline(60))

    def put(self, name: str, size: int) -> Path:
        path = self.folder / name
        path.write_bytes(os.urandom(size))
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return path

    def close(self) -> None:
        os.close(self.top)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[OnDisk]:
    with closing(OnDisk(tmp_path)) as made:
        yield made


def cached_pages(path: Path) -> int:
    """How many pages of a file of ours are in the cache; asking brings none there."""
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        pages = (ctypes.c_ubyte * (-(-len(mapped) // mmap.PAGESIZE)))()
        place = ctypes.c_char.from_buffer(mapped)
        _LIBC.mincore(ctypes.c_void_p(ctypes.addressof(place)), ctypes.c_size_t(len(mapped)), pages)
        del place
    return sum(page & 1 for page in pages)


def wanting(names: Iterable[str], opening: Callable[[str], object]) -> Ahead:
    """Of which these are wanted, and nothing more."""
    ahead = Ahead(opening)
    for name in names:
        ahead.want(name)
    ahead.close()
    return ahead


@pytest.mark.parametrize("size", SIZES)
def test_what_was_not_in_the_cache_is_not_there_afterwards(disk: OnDisk, size: int) -> None:
    """However large it is."""
    path = disk.put("cold", size)
    assert disk.reader.read("cold", ["sha256"]).size == size
    assert cached_pages(path) == 0


@pytest.mark.parametrize("size", SIZES)
def test_what_was_in_the_cache_stays_there(disk: OnDisk, size: int) -> None:
    """It is what the archive serves."""
    path = disk.put("warm", size)
    before = len(path.read_bytes()) and cached_pages(path)
    assert disk.reader.read("warm", ["sha256"]).size == size
    assert cached_pages(path) == before > 0


def test_what_comes_next_is_fetched_while_one_is_read(disk: OnDisk) -> None:
    """A few objects, and no more; what does not have its turn any more is dropped again."""
    size, number = 526_000, 3 * AHEAD
    paths = [disk.put(str(place), size) for place in range(number)]
    ahead = wanting(map(str, range(number)), disk.reader.open)
    name, opened = ahead.next() or ("", None)
    until = time.monotonic() + 30
    while not all(map(cached_pages, paths[:AHEAD])) and time.monotonic() < until:
        time.sleep(0.01)
    assert [path.name for path in paths if cached_pages(path)] == list(map(str, range(AHEAD)))
    assert (name, disk.reader.read_opened(opened, ["sha256"]).size) == ("0", size)
    ahead.end()
    assert ahead.next() is None
    assert not any(map(cached_pages, paths))


def test_each_is_given_once_in_its_turn(disk: OnDisk) -> None:
    """What is not there has its place as well."""
    for place in range(2 * AHEAD):
        disk.put(str(place), 100)
    wanted = [*map(str, range(AHEAD)), "gone", *map(str, range(AHEAD, 2 * AHEAD))]
    ahead = wanting(wanted, disk.reader.open)
    found = [(name, disk.reader.read_opened(opened, [])) for name, opened in iter(ahead.next, None)]
    assert [name for name, _ in found] == wanted
    assert [name for name, reading in found if reading.trouble[0] == "missing"] == ["gone"]


def test_no_more_is_open_than_is_ahead(disk: OnDisk) -> None:
    """A store of millions is no reason for more files open, or for more memory."""
    disk.put("one", 100)
    opened = count()

    def opening(name: str) -> object:
        next(opened)
        return disk.reader.open(name)

    ahead = wanting(["one"] * 1000, opening)
    _, first = ahead.next() or ("", None)
    disk.reader.read_opened(first, [])
    assert next(opened) == AHEAD
    ahead.end()


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_file_is_neither_read_nor_fetched(disk: OnDisk, make: Callable[[Path], None]) -> None:
    """Nor waited for, whether its turn comes or not."""
    make(disk.folder / "thing")
    ahead = wanting(["thing", "thing"], disk.reader.open)
    _, opened = ahead.next() or ("", None)
    assert disk.reader.read_opened(opened, ["sha256"]).trouble == ("unreadable", {"why": "not-a-file"})
    ahead.end()
