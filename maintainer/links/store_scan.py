"""Comparing an archive's index with its store, both ways, in batches: memory is bounded by one batch on either side.

Index to disk: pages of the index go to the node, which reads the objects and answers what differs; the index is asked
about those again, which the archive may have deleted or replaced meanwhile. Disk to index: the node lists its files
first, and only then is the index asked which of them it knows, so that what arrives meanwhile is never mistaken for an
orphan; those it does not know are listed and asked for once more, after all others, before they are reported.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue

from maintainer.archives.product import ArchiveProduct
from maintainer.errors import CouldNotLook
from maintainer.links.store_index import Index, size_of
from maintainer.links.store_suspects import Ask, Suspects
from maintainer.model.task import StoreScan

Rows = Callable[[str, dict[str, Any]], list[dict[str, Any]]]

BATCH = 2_000
_PROOF = ("algorithm", "digest", "kind", "sop_instance_uid")
LISTED = 200


@dataclass(kw_only=True)
class Scanner:
    """One scan of one store. `rows` asks the index, `ask` an observing program of the node."""

    product: ArchiveProduct
    scan: StoreScan
    resume_after: int
    rows: Rows
    ask: Ask
    stop_asked: Callable[[], bool] = lambda: False
    found: list[JsonValue] = field(default_factory=list)
    unlisted: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    _until: float = 0.0
    _suspects: Suspects = field(init=False)
    _index: Index = field(init=False)

    def __post_init__(self) -> None:
        self._suspects = Suspects(self.ask)
        self._index = Index(self.product, self.rows)

    def run(self) -> JsonValue:
        """Scan; answers what `StoreScan` documents."""
        self._until = time.monotonic() + self.scan.at_most.total_seconds()
        totals = {"checked": 0, "bytes": 0}
        reached: int | None = self.resume_after
        store_present = True
        for page in self._pages():
            answer = self._verify(page)
            store_present = store_present and answer["store_present"]
            for total in totals:
                totals[total] += answer[total]
            reached = answer["reached"] if answer["reached"] is not None else reached
            if not store_present or answer["checked"] < len(page):
                break
        else:
            reached = reached if self._is_over() else None
        files, files_complete = self._orphans() if store_present else (0, False)
        return {
            "store_present": store_present,
            **totals,
            "files": files,
            "files_complete": files_complete,
            "deviations": self.found,
            "unlisted": self.unlisted,
            "reached": reached,
            "skipped": dict(self.skipped),
            "stopped": self.stop_asked(),
        }

    def _is_over(self) -> bool:
        return time.monotonic() >= self._until or self.stop_asked()

    def _pages(self) -> Iterator[list[dict[str, Any]]]:
        after = self.resume_after
        while not self._is_over():
            page = self.rows(self.product.objects_sql, {"after": after, "limit": BATCH})
            if not page:
                return
            yield page
            after = page[-1]["key"]

    def _verify(self, page: list[dict[str, Any]]) -> Any:
        objects: list[JsonValue] = [
            [row["key"], row["path"], size_of(row), *(row[column] for column in _PROOF)] for row in page
        ]
        answer = self.ask("store-verify", {"objects": objects})
        asked = {row["key"]: row for row in page}
        if not all(key in asked for key, *_ in answer["deviations"]):
            raise CouldNotLook("the node answered about an object that it was not asked about")
        listed = self._index.at([key for key, *_ in answer["deviations"]]) if answer["store_present"] else {}
        for key, verdict, evidence in answer["deviations"]:
            if listed.get(key) == asked[key]:
                self._deviation(asked[key]["path"], verdict, evidence, key)
        return answer

    def _deviation(self, path: str, verdict: str, evidence: dict[str, JsonValue], key: int | None = None) -> None:
        if len(self.found) >= LISTED:
            self.unlisted += 1
            return
        evidence = self._suspects.evidence(path, verdict, evidence)
        self.found.append({"path": path, "verdict": verdict, "evidence": evidence, "key": key})

    def _orphans(self) -> tuple[int, bool]:
        """List the node's files and report those that the index does not know; answers how many, and whether all."""
        files, after, more = 0, "", True
        suspected: list[tuple[str, list[str]]] = []
        while more and not self._is_over():
            listing = self._list(after)
            files += len(listing["files"])
            self.skipped.update(listing["skipped"])
            unknown = self._unknown(listing["files"])
            room = LISTED - len(self.found) - sum(len(paths) for _, paths in suspected)
            if unknown[:room]:
                suspected.append((after, unknown[:room]))
            self.unlisted += len(self._unknown(unknown[room:]))
            more = listing["more"]
            after = listing["files"][-1] if more else after
        return files, self._are_orphans(suspected) and not more

    def _are_orphans(self, suspected: list[tuple[str, list[str]]]) -> bool:
        """Report those that are still there and still unknown; answers whether there was time for all."""
        for after, paths in suspected:
            if self._is_over():
                return False
            there = {*self._list(after)["files"]}
            for path in self._unknown([path for path in paths if path in there]):
                self._deviation(path, "orphan", {})
        return True

    def _list(self, after: str) -> Any:
        grace = self.scan.grace.total_seconds()
        return self.ask("store-list", {"after": after, "limit": BATCH, "grace_seconds": grace})

    def _unknown(self, paths: list[str]) -> list[str]:
        known = self._index.knows(paths)
        return [path for path in paths if path not in known]
