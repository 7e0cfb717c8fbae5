"""A practice PACS of a test's own: in its own folder, on free ports, gone when the test has ended."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from maintainer.practice.faults import Planted
from maintainer.practice.layout import ADDRESS, Layout, Ports
from maintainer.practice.pacs import Part, PracticePacs
from maintainer.practice.processes import is_free


@dataclass(frozen=True)
class Practice:
    """What a test needs of its practice PACS."""

    pacs: PracticePacs

    @property
    def layout(self) -> Layout:
        return self.pacs.layout

    @property
    def folder(self) -> Path:
        return self.layout.folder

    @property
    def inventory(self) -> Path:
        return self.layout.inventory

    @property
    def ports(self) -> Ports:
        return self.pacs.ports

    def up(self, *, fresh: bool = False) -> tuple[Part, ...]:
        return self.pacs.up(fresh=fresh)

    def down(self, *, wipe: bool = False) -> tuple[Part, ...]:
        return self.pacs.down(wipe=wipe)

    def break_(self, fault: str) -> tuple[Planted, ...]:
        return self.pacs.break_(fault)


@pytest.fixture
def practice(tmp_path: Path) -> Iterator[Practice]:
    """A healthy practice PACS for one test, which may do to it what it likes."""
    yield from _lent(tmp_path)


@pytest.fixture(scope="module")
def shared_practice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Practice]:
    """A practice PACS for all tests of a module, each of which leaves it as healthy as it was."""
    yield from _lent(tmp_path_factory.mktemp("practice"))


def _lent(folder: Path) -> Iterator[Practice]:
    lent = Practice(PracticePacs(folder / "pacs", free_ports()))
    try:
        lent.up()
        yield lent
    finally:
        lent.down(wipe=True)


def free_ports() -> Ports:
    """Choose ports below those that the system hands out by itself, so that nothing takes them in between."""
    chosen = [port for port in random.sample(range(20_000, 32_000), 50) if is_free(ADDRESS, port)]
    return Ports(ssh=chosen[0], database=chosen[1], dicom=chosen[2])
