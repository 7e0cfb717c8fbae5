"""What a query answered, kept by column."""

from collections.abc import Iterator, Sequence
from typing import Any, overload

from pydantic_core import to_jsonable_python

_SHARED = frozenset({str, int})
_AS_IT_IS = frozenset({bool, type(None)})


class Rows(Sequence[dict[str, Any]]):
    """Reads as a list of mappings. There may be fifty thousand: each mapping is made when it is asked for.

    Values are JSON's: numerics as float, times and intervals as ISO 8601 text, bytes as hexadecimal digits.
    """

    def __init__(self) -> None:
        self._names: Sequence[str] = ()
        self._columns: Sequence[list[Any]] = ()

    def add(self, names: Sequence[str], rows: Sequence[Sequence[Any]], shared: dict[Any, Any]) -> None:
        """Take some more; `shared` has the texts and numbers of those before, which are kept once."""
        self._names, self._columns = names, self._columns or [[] for _ in names]
        for column, values in zip(self._columns, zip(*rows, strict=True), strict=True):
            column.extend(_jsonable(value, shared) for value in values)

    def __len__(self) -> int:
        return len(self._columns[0]) if self._columns else 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (dict(zip(self._names, values, strict=True)) for values in zip(*self._columns, strict=True))

    @overload
    def __getitem__(self, position: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, position: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, position: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        chosen = range(len(self))[position]
        return [self._row(each) for each in chosen] if isinstance(chosen, range) else self._row(chosen)

    def _row(self, position: int) -> dict[str, Any]:
        return {name: column[position] for name, column in zip(self._names, self._columns, strict=True)}


def _jsonable(value: Any, shared: dict[Any, Any]) -> Any:
    kind = type(value)
    if kind in _SHARED:
        return shared.setdefault(value, value)
    if kind in _AS_IT_IS:
        return value
    return to_jsonable_python(value, fallback=str, inf_nan_mode="strings", bytes_mode="hex")
