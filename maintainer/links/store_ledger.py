"""A store verified by the ledger on its node: only what has changed crosses the network.

The node reads, and holds what it read against its ledger. What it cannot know is asked of the index from here: what is
new (keys after the last one that the ledger knows), where ledger and index differ (sums over ranges of keys, compared),
and whether the index still lists what deviates.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, Protocol

from pydantic import JsonValue

from maintainer.archives.product import ArchiveProduct
from maintainer.errors import CouldNotLook, LinkLost, NodeUnreachable
from maintainer.links.deadline import Deadline
from maintainer.links.node_link import NodeLink
from maintainer.links.operation import Cancelled, carry_out
from maintainer.model.plan import VerifyStore

Rows = Callable[[str, dict[str, Any]], list[dict[str, Any]]]
Ask = Callable[[str, dict[str, JsonValue]], Any]

PAGE = 10_000
ASKED_AGAIN = 200
"""So many deviating objects are looked up one by one in the index, in case the archive has just replaced them."""
TO_LEARN = 0.3
"""Part of the time after which the index's news are left for the next night."""
TO_SETTLE = 0.15
LEAST_TO_SETTLE, MOST_TO_SETTLE = 2.0, 180.0
ACT_TIME = timedelta(minutes=5)
_ALL = 1 << 60
_STOPPED = {"stopped": "stop-asked"}
_TOLD = (
    *("stopped", "objects", "bytes", "files", "files_complete"),
    *("pauses", "paused_seconds", "paused_because"),
)
_CONTENT = {"size", "digest", "bit-rot", "modified"}


def seen(archive: ArchiveProduct, rows: Rows, ask: Ask) -> JsonValue:
    """What the ledger says, and how much the index lists that it does not know yet."""
    answer = dict(ask("store-ledger", {}))
    ledger = answer["ledger"]
    (arrived,) = rows(_arrived(archive), {"after": ledger["last_key"] if ledger else 0, "limit": _ALL})
    if ledger:
        names = ("path", "verdict", "evidence", "key")
        deviations = [dict(zip(names, fields, strict=True)) for fields in ledger["deviations"]]
        answer["ledger"] = {**ledger, "deviations": deviations}
    return {**answer, "arrived_objects": arrived["objects"], "arrived_bytes": arrived["bytes"]}


def _arrived(archive: ArchiveProduct) -> str:
    return f"{_ARRIVED} (\n{archive.objects_sql}\n) AS listed"


def _sums(archive: ArchiveProduct) -> str:
    return f"{_SUMS} (\n{archive.objects_sql}\n) AS listed WHERE key <= %(last_key)s GROUP BY 1"


_ARRIVED = "SELECT count(*) AS objects, coalesce(sum(size), 0)::bigint AS bytes FROM"
_SUMS = """\
SELECT key / %(width)s::bigint AS place, count(*) AS objects, sum(key)::text AS keys, sum(size)::bigint AS bytes
FROM"""


def verify(link: NodeLink, look: "Looks", action: VerifyStore, step: str, timeout: timedelta) -> dict[str, JsonValue]:
    """Do one night's work on one store; answers what was read, what the index had to tell, and the ledger's root.

    When a stop is asked for, the reading is cancelled and the night closed: the next one goes on there.

    Raises:
        NodeHeld: somebody else holds the node.
        ActionFailed: the node said that it did not succeed.
        LinkLost: the link broke; what was read is in the ledger, and the next run goes on there.
        CouldNotLook: the index did not answer. What was learnt and read by then is kept, and the ledger is sealed.
    """
    return _Night(link, look, action, step, timeout).run()


class Looks(Protocol):
    """What is needed of a node's observer."""

    @property
    def archive(self) -> ArchiveProduct: ...

    def rows(self, text: str, parameters: dict[str, Any]) -> list[dict[str, Any]]: ...

    def ask(self, program: str, request: dict[str, JsonValue]) -> Any: ...


class _Night:
    def __init__(self, link: NodeLink, look: Looks, action: VerifyStore, step: str, timeout: timedelta) -> None:
        self._link, self._action, self._step = link, action, step
        self._deadline = Deadline(timeout)
        self._rows, self._ask, self._archive = look.rows, look.ask, look.archive
        self._knows_all = self._is_open = False
        self._learnt = {"new": 0, "replaced": 0, "gone": 0}

    def run(self) -> dict[str, JsonValue]:
        """Learn what the index has to tell, let the node read, ask the index about what deviates, close the night."""
        try:
            is_another, answer = self._work()
        except (LinkLost, NodeUnreachable):
            raise
        except CouldNotLook:
            if self._is_open:
                self._seal("")
            raise
        sealed = self._seal("index" if is_another else "")
        measured: dict[str, JsonValue] = {key: answer[key] for key in _TOLD if key in answer}
        return {**measured, **self._learnt, "ledger_root": sealed["root"]}

    def _work(self) -> tuple[bool, dict[str, Any]]:
        """Answer whether it is another index than it was, and how the reading ended."""
        if self._action.quota is None:
            self._take_back()
        if self._learn():
            return True, {}
        answer = _STOPPED if self._link.stop_asked() else self._read()
        self._settle()
        return False, answer

    def _seal(self, lost: str) -> Any:
        """Close the night, whatever time is left: what stays open is a ledger that nobody can vouch for."""
        request: dict[str, JsonValue] = {"night": self._action.night, "lost": lost}
        return self._link.program().act("store-seal", request, ACT_TIME)

    def _take_back(self) -> None:
        """Open an interrupted ledger for writing, before anybody reads it: that undoes what was only half written."""
        nothing: dict[str, JsonValue] = {"confirmed": [], "gone": [], "strays": [], "known": []}
        self._act("store-settle", nothing)

    def _read(self) -> dict[str, Any]:
        keep = min(MOST_TO_SETTLE, max(LEAST_TO_SETTLE, self._deadline.left * TO_SETTLE))
        request: dict[str, JsonValue] = {
            "bytes": self._action.quota,
            "rate": self._action.rate,
            "threads": self._action.threads,
            # Before all of the index has been learnt, most files would be ones that nobody knows.
            "walk": self._knows_all,
            "grace_seconds": self._action.grace.total_seconds(),
            "lost_share": self._action.lost_share,
        }
        if (dicom := self._link.node.dicom) is not None:
            request["pause"] = {"port": dicom.port, "above": self._action.pause_above}
        seconds = max(1.0, self._deadline.left - keep)
        self._is_open = True
        time = timedelta(seconds=seconds)
        try:
            return carry_out(self._link, self._step, "store-read", request, time, resumable=True)
        except Cancelled:
            return _STOPPED

    def _learn(self) -> bool:
        """Tell the ledger what the index lists otherwise; answers whether it is another index than it was."""
        until = self._deadline.left * (1 - TO_LEARN)
        known = self._ask("store-sums", {})
        for after, through in (*self._different(known), (known["last_key"], None)):
            for start, end, page in self._pages(after, through):
                if self._tell(start, end, page):
                    return True
                if self._deadline.left < until or self._link.stop_asked():
                    return False
        self._knows_all = True
        return False

    def _different(self, known: dict[str, Any]) -> list[tuple[int, int]]:
        """Ranges of keys, as (after, through), in which ledger and index do not list the same."""
        width, last_key = known["width"], known["last_key"]
        parameters = {"after": 0, "limit": _ALL, "width": width, "last_key": last_key}
        listed = {row["place"]: (row["objects"], row["keys"], row["bytes"]) for row in self._index_sums(parameters)}
        ours = {place: tuple(sums) for place, *sums in known["sums"]}
        places = sorted(place for place in listed.keys() | ours.keys() if listed.get(place) != ours.get(place))
        return [(max(0, place * width - 1), min(last_key, (place + 1) * width - 1)) for place in places]

    def _index_sums(self, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        return self._rows(_sums(self._archive), parameters) if parameters["last_key"] else []

    def _pages(self, after: int, through: int | None) -> Iterator[tuple[int, int, list[dict[str, Any]]]]:
        """What the index lists after a key, up to another or to its end: (after, through, rows) without a gap."""
        while through is None or after < through:
            end = through
            page = self._rows(self._archive.objects_sql, {"after": after, "limit": PAGE})
            full = len(page) == PAGE
            page = [row for row in page if through is None or row["key"] <= through]
            if page and (full or end is None):
                end = int(page[-1]["key"])
            if end is None:
                return
            yield after, end, page
            after = end

    def _tell(self, after: int, through: int, page: Sequence[dict[str, Any]]) -> bool:
        objects: list[JsonValue] = [
            [row["key"], row["path"], row["size"], row["algorithm"], row["digest"], row["kind"]] for row in page
        ]
        request: dict[str, JsonValue] = {"night": self._action.night, "after": after, "through": through}
        answer: Any = self._act("store-learn", {**request, "objects": objects, "lost_share": self._action.lost_share})
        for what in self._learnt:
            self._learnt[what] += answer[what]
        return bool(answer["lost"])

    def _settle(self) -> None:
        """Hold what deviates against the index as it is now: the archive stores and deletes while the node reads.

        What there is no time for is held against it, and told, the next night.
        """
        self._asked = 0
        while (found := self._ask("store-unsettled", {"limit": PAGE}))["objects"] or found["strays"]:
            self._act("store-settle", {**self._about_objects(found["objects"]), **self._about_strays(found["strays"])})
            if self._deadline.passed or self._link.stop_asked():
                return

    def _about_objects(self, objects: Sequence[Sequence[Any]]) -> dict[str, JsonValue]:
        listed = self._listed([path for _, path, _ in objects])
        for key, path, verdict in objects:
            if path in listed and verdict in _CONTENT and self._asked < ASKED_AGAIN:
                self._asked += 1
                page = self._rows(self._archive.objects_sql, {"after": key - 1, "limit": 1})
                self._tell(key - 1, key, [row for row in page if row["key"] == key])
        return {
            "confirmed": [key for key, path, _ in objects if path in listed],
            "gone": [key for key, path, _ in objects if path not in listed],
        }

    def _about_strays(self, paths: Sequence[str]) -> dict[str, JsonValue]:
        """Those that the index does not list are asked for twice, so that one which has just arrived is no stray."""
        known = self._listed(paths)
        known |= self._listed([path for path in paths if path not in known])
        return {"strays": [path for path in paths if path not in known], "known": [*sorted(known)]}

    def _listed(self, paths: Sequence[str]) -> set[str]:
        if not paths:
            return set()
        return {row["path"] for row in self._rows(self._archive.known_sql, {"paths": list(paths)})}

    def _act(self, program: str, request: dict[str, JsonValue]) -> JsonValue:
        self._is_open = True
        return self._link.program().act(program, request, min(ACT_TIME, timedelta(seconds=max(5, self._deadline.left))))
