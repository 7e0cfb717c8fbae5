"""Where each key and each value of a TOML text stands. Asked only when there is something to report."""

import tomllib
from dataclasses import dataclass

import tree_sitter_toml
from tree_sitter import Language, Node, Parser

Path = tuple[str | int, ...]


@dataclass(frozen=True, order=True)
class Spot:
    """A place in the text; line and column start at 1, the column counts characters."""

    line: int
    column: int


class Positions:
    """Finds the spot of a path of keys; an element of a list is a number in that path.

    What does not stand in the text itself is found at the nearest thing around it that does.
    """

    def __init__(self, text: str) -> None:
        source = text.encode()
        self._lines = source.split(b"\n")
        self._keys: dict[Path, Spot] = {}
        self._values: dict[Path, Spot] = {}
        self._tables: dict[Path, Spot] = {}
        self._counts: dict[Path, int] = {}
        for node in Parser(Language(tree_sitter_toml.language())).parse(source).root_node.named_children:
            self._read_top(node)

    def key(self, path: Path) -> Spot:
        return self._nearest(path, self._keys, self._values)

    def value(self, path: Path) -> Spot:
        return self._nearest(path, self._values, self._keys)

    def table(self, path: Path) -> Spot:
        return self._nearest(path, self._tables, self._keys)

    def _nearest(self, path: Path, *wanted: dict[Path, Spot]) -> Spot:
        for length in range(len(path), 0, -1):
            for known in wanted:
                if path[:length] in known:
                    return known[path[:length]]
        return Spot(1, 1)

    def _read_top(self, node: Node) -> None:
        if node.type == "pair":
            self._read_pair((), node)
        elif node.type in {"table", "table_array_element"} and node.named_children:
            path = self._enter(node.named_children[0], repeated=node.type == "table_array_element")
            self._tables.setdefault(path, self._spot(node))
            for child in node.named_children[1:]:
                if child.type == "pair":
                    self._read_pair(path, child)

    def _enter(self, header: Node, *, repeated: bool) -> Path:
        """Name the keys of a header; a list of tables that it passes through means that list's last table."""
        path: Path = ()
        parts = _parts(header)
        for number, part in enumerate(parts, start=1):
            path = (*path, _plain(part))
            self._keys.setdefault(path, self._spot(part))
            if repeated and number == len(parts):
                self._counts[path] = self._counts.get(path, -1) + 1
            if path in self._counts:
                path = (*path, self._counts[path])
        return path

    def _read_pair(self, base: Path, pair: Node) -> None:
        if len(pair.named_children) < 2:  # noqa: PLR2004 (a pair is a key and a value)
            return
        path = base
        for part in _parts(pair.named_children[0]):
            path = (*path, _plain(part))
            self._keys.setdefault(path, self._spot(part))
        self._read_value(path, pair.named_children[1])

    def _read_value(self, path: Path, node: Node) -> None:
        self._values.setdefault(path, self._spot(node))
        if node.type == "inline_table":
            self._tables.setdefault(path, self._spot(node))
            for child in node.named_children:
                if child.type == "pair":
                    self._read_pair(path, child)
        elif node.type == "array":
            elements = (child for child in node.named_children if child.type != "comment")
            for number, child in enumerate(elements):
                self._read_value((*path, number), child)

    def _spot(self, node: Node) -> Spot:
        row, offset = node.start_point
        return Spot(row + 1, len(self._lines[row][:offset].decode(errors="replace")) + 1)


def _parts(key: Node) -> list[Node]:
    """Take a dotted key apart; the grammar nests its first parts ever deeper."""
    parts = []
    while key.type == "dotted_key":
        *first, last = key.named_children
        parts.append(last)
        if not first:
            break
        key = first[0]
    else:
        parts.append(key)
    return parts[::-1]


def _plain(key: Node) -> str:
    text = (key.text or b"").decode(errors="replace")
    if key.type == "bare_key":
        return text
    try:
        return next(iter(tomllib.loads(f"{text} = 0")))
    except (tomllib.TOMLDecodeError, StopIteration):
        return text
