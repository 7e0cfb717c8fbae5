"""A store verified by the ledger on its node: only what has changed crosses the network.

The node reads, and holds what it read against its ledger. What it cannot know is asked of the index from here: what is
new (keys after the last one that the ledger knows), where ledger and index differ (sums over ranges of keys, compared),
and whether the index still lists what deviates.
"""

import contextlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Protocol

from pydantic import JsonValue

from maintainer.archives.product import ArchiveProduct
from maintainer.errors import ActionFailed, CouldNotLook, LinkLost, NodeHeld, NodeUnreachable
from maintainer.links.deadline import Deadline
from maintainer.links.node_link import NodeLink
from maintainer.links.operation import Cancelled, carry_out
from maintainer.links.store_index import PAGE, Arrived, Rows, index_of
from maintainer.links.store_suspects import Suspects
from maintainer.links.store_telling import AnotherIndex, Ask, Telling
from maintainer.model.action import VerifyStore

ASKED_AGAIN = 200
"""So many deviating objects are looked up one by one in the index, in case the archive has just replaced them."""
TO_SETTLE = 0.15
LEAST_TO_SETTLE, MOST_TO_SETTLE = 2.0, 180.0
ACT_TIME = timedelta(minutes=5)
_STOPPED = {"stopped": "stop-asked"}
_TOLD = (
    *("stopped", "objects", "bytes", "files", "files_complete", "accepted"),
    *("pauses", "paused_seconds", "paused_because"),
)
_SUMMED = ("objects", "bytes", "pauses", "paused_seconds")
_CONTENT = {"size", "digest", "bit-rot", "modified"}


def seen(archive: ArchiveProduct, rows: Rows, ask: Ask) -> dict[str, JsonValue]:
    """What the ledger says, and how much the index lists that it does not know yet.

    An index that does not answer keeps no ledger from being told: its root may have to be put on record.
    """
    answer = dict(ask("store-ledger", {}))
    ledger, silent = answer["ledger"], ""
    try:
        arrived = index_of(archive, rows).arrived(ledger["last_key"] if ledger else 0)
    except CouldNotLook as error:
        if ledger is None or isinstance(error, LinkLost | NodeUnreachable):
            raise
        arrived, silent = Arrived(0, 0, all=False), error.what
    if ledger:
        names = ("path", "verdict", "evidence", "key")
        deviations = [dict(zip(names, fields, strict=True)) for fields in ledger["deviations"]]
        suspects = Suspects(ask)
        for one in deviations:
            one["evidence"] = suspects.evidence(one["path"], one["verdict"], one["evidence"])
        answer["ledger"] = {**ledger, "deviations": deviations}
    told = {"arrived_objects": arrived.objects, "arrived_bytes": arrived.bytes, "arrived_all": arrived.all}
    return {**answer, **told, "silent": silent}


def verify(link: NodeLink, look: "Looks", action: VerifyStore, step: str, timeout: timedelta) -> dict[str, JsonValue]:
    """Do one night's work on one store; answers what was read, what the index had to tell, and the ledger's root.

    When a stop is asked for, the reading is cancelled and the night closed: the next one goes on there.

    Raises:
        NodeHeld: somebody else holds the node.
        ActionFailed: the node said that it did not succeed.
        CouldNotLook: the index did not answer.
        LinkLost: the link broke; what was read is in the ledger, and the next run goes on there.

    What was learnt and read before either of ActionFailed and CouldNotLook is kept, and the ledger sealed.
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
        self._index, self._ask = index_of(look.archive, look.rows), look.ask
        self._is_open = False
        self._telling = Telling(
            index=self._index,
            ask=self._ask,
            act=self._act,
            action=action,
            deadline=self._deadline,
            stop_asked=link.stop_asked,
        )

    def run(self) -> dict[str, JsonValue]:
        """Learn what the index has to tell, let the node read, ask the index about what deviates, close the night."""
        try:
            is_another, answer = self._work()
        except (LinkLost, NodeUnreachable, NodeHeld):
            raise
        except (ActionFailed, CouldNotLook):
            self._seal_what_there_is()
            raise
        sealed = self._seal("index" if is_another else "")
        measured: dict[str, JsonValue] = {key: answer[key] for key in _TOLD if key in answer}
        return {**measured, **self._telling.counts, "ledger_root": sealed["root"]}

    def _work(self) -> tuple[bool, dict[str, Any]]:
        """Answer whether it is another index than it was, and how the reading ended."""
        if self._action.quota is None:
            self._take_back()
        answer: dict[str, Any] = {}
        try:
            self._telling.run()
            answer = _STOPPED if self._link.stop_asked() else self._read(self._step, self._action.quota)
            answer = self._read_on(answer)
            self._settle()
        except AnotherIndex:
            return True, answer
        return False, answer

    def _seal_what_there_is(self) -> None:
        """What failed is told, also where its ledger cannot even be closed."""
        with contextlib.suppress(ActionFailed, CouldNotLook):
            if self._is_open:
                self._seal("")

    def _seal(self, lost: str) -> Any:
        """Close the night, whatever time is left: what stays open is a ledger that nobody can vouch for."""
        request: dict[str, JsonValue] = {"night": self._action.night, "lost": lost, "compared": self._telling.compared}
        sealed: Any = self._link.program().act("store-seal", request, ACT_TIME)
        self._link.sealed_root = sealed["root"]
        return sealed

    def _take_back(self) -> None:
        """Open an interrupted ledger for writing, before anybody reads it: that undoes what was only half written."""
        nothing: dict[str, JsonValue] = {"confirmed": [], "gone": [], "strays": [], "known": []}
        self._act("store-settle", nothing)

    def _read_on(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Read again, as long as what surprised the reading was deleted by the archive meanwhile."""
        quota, number = self._action.quota, 1
        while answer["stopped"] == "surprises" and self._were_deleted(answer["missing"]):
            quota, number = None if quota is None else max(0, quota - answer["bytes"]), number + 1
            again = self._read(f"{self._step}-{number}", quota)
            summed = {what: answer.get(what, 0) + again.get(what, 0) for what in _SUMMED if what in answer | again}
            answer = {**answer, **again, **summed}
        return answer

    def _read(self, operation: str, quota: int | None) -> dict[str, Any]:
        keep = min(MOST_TO_SETTLE, max(LEAST_TO_SETTLE, self._deadline.left * TO_SETTLE))
        request: dict[str, JsonValue] = {
            "bytes": quota,
            "rate": self._action.rate,
            "threads": self._action.threads,
            # Before all of the index has been learnt, most files would be ones that nobody knows.
            "walk": self._telling.knows_all,
            "grace_seconds": self._action.grace.total_seconds(),
            "lost_share": self._action.lost_share,
        }
        if not self._index.lists:
            # Where no index says what should be there, a person does.
            request["adopt"] = True
            request["accepted"] = [[one.key, one.verdict, one.sha256] for one in self._action.accepted]
        if (dicom := self._link.node.dicom) is not None:
            request["pause"] = {"port": dicom.port, "above": self._action.pause_above}
        seconds = max(1.0, self._deadline.left - keep)
        self._is_open = True
        time = timedelta(seconds=seconds)
        try:
            answer: dict[str, Any] = carry_out(self._link, operation, "store-read", request, time, resumable=True)
        except Cancelled:
            return _STOPPED
        self._telling.counts["new"] += answer.get("adopted", 0)
        return answer

    def _were_deleted(self, missing: Sequence[tuple[int, str]]) -> bool:
        """Let the ledger forget what the archive deleted while it was read; answers whether to read again.

        It deletes the oldest, as a rule, which is what is read first: no lost store, however many they are.
        """
        listed = self._listed(missing)
        gone = [key for key, _ in missing if key not in listed]
        again = bool(gone) and not self._telling.is_time_over(LEAST_TO_SETTLE)
        if gone:
            nothing: dict[str, JsonValue] = {"confirmed": [], "strays": [], "known": []}
            self._act("store-settle", {**nothing, "gone": [*gone], "explained": again or len(gone) == len(missing)})
        return again

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
        listed = self._listed([(key, path) for key, path, _ in objects])
        replaced = [listed[key] for key, _, verdict in objects if verdict in _CONTENT and listed.get(key)]
        for row in replaced[: ASKED_AGAIN - self._asked]:
            self._asked += 1
            self._telling.again(row)
        return {
            "confirmed": [key for key, *_ in objects if key in listed],
            "gone": [key for key, *_ in objects if key not in listed],
        }

    def _listed(self, objects: Sequence[tuple[int, str]]) -> dict[int, dict[str, Any]]:
        """Which of these the index still lists where the ledger has them, and as what; of a tree, all, and nothing."""
        if not self._index.lists:
            return {key: {} for key, _ in objects}
        listed = self._index.at([key for key, _ in objects])
        return {key: listed[key] for key, path in objects if key in listed and listed[key]["path"] == path}

    def _about_strays(self, paths: Sequence[str]) -> dict[str, JsonValue]:
        """Those that the index does not list are asked for twice, so that one which has just arrived is no stray."""
        known = self._index.knows([*paths])
        known |= self._index.knows([path for path in paths if path not in known])
        return {"strays": [path for path in paths if path not in known], "known": [*sorted(known)]}

    def _act(self, program: str, request: dict[str, JsonValue]) -> Any:
        self._is_open = True
        return self._link.program().act(program, request, min(ACT_TIME, timedelta(seconds=max(5, self._deadline.left))))
