"""An inventory that may still be wrong in places: what can be relied on is asked here."""

from collections.abc import Iterator, Mapping
from typing import Any

from maintainer.inventory_file.positions import Path
from maintainer.inventory_file.problems import At, Problem, Problems
from maintainer.model.inventory import Role


class Draft:
    """Gives out the parts about which nothing is wrong, so that one mistake is not reported twice."""

    def __init__(self, data: Mapping[str, Any], problems: Problems) -> None:
        self._data = data
        self._problems = problems

    def table(self, *path: str | int) -> dict[str, Any]:
        """Return a table as it was written; an empty one when there is none."""
        found = self._get(path)
        return found if isinstance(found, dict) else {}

    def tables(self, *path: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield each named table below a table."""
        for name in self.table(*path):
            if isinstance(self._get((*path, name)), dict):
                yield name, self.table(*path, name)

    def text(self, *path: str | int) -> str | None:
        found = self.value(*path)
        return found if isinstance(found, str) else None

    def texts(self, *path: str | int) -> list[tuple[Path, str]]:
        """Return the sound texts of a list, each with its own path."""
        found = self.value(*path)
        return [
            ((*path, number), item)
            for number, item in enumerate(found if isinstance(found, list) else ())
            if isinstance(item, str) and (*path, number) not in self._problems
        ]

    def value(self, *path: str | int) -> Any:
        return None if path in self._problems else self._get(path)

    def roles(self, node: str) -> frozenset[Role]:
        """Say what a node is for; a section counts even when something in it is wrong."""
        return frozenset(role for role in Role if self.table("nodes", node).get(role.value))

    def _get(self, path: Path) -> Any:
        here: Any = self._data
        for part in path:
            if isinstance(here, dict) and isinstance(part, str):
                here = here.get(part)
            elif isinstance(here, list) and isinstance(part, int) and part < len(here):
                here = here[part]
            else:
                return None
        return here


def wrong_value(path: Path, what: str, word: str = "", known: tuple[str, ...] = ()) -> Problem:
    return Problem(path=path, at=At.VALUE, what=what, word=word, known=known)


def wrong_key(path: Path, what: str, word: str = "", known: tuple[str, ...] = ()) -> Problem:
    return Problem(path=path, at=At.KEY, what=what, word=word, known=known)
