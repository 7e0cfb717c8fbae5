"""Looking for a good copy of a damaged object in another archive, by its SOP instance UID.

What is read there is a few objects, held against that archive's own digests; nothing is fetched and nothing is changed.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from pydantic import JsonValue

from maintainer.archives.product import ArchiveProduct
from maintainer.errors import CouldNotLook
from maintainer.links.deadline import Deadline
from maintainer.links.node_link import NodeLink
from maintainer.links.store_index import Index, size_of
from maintainer.model.task import StoreCopies, StoreInstances

PAUSE_ABOVE = 10**6
SLOWEST = 20_000_000
"""Bytes a second: a store that is read at less is not waited for."""
BEST_FIRST = ("sound", "unproven", "waits", "not-read", "damaged")
"""An archive may keep several files of one instance."""


def instances(link: NodeLink, archive: ArchiveProduct, asked: StoreInstances) -> dict[str, JsonValue]:
    """Look up which SOP instances the index lists under these keys; answers what `StoreInstances` documents."""
    session = link.reading()
    index = Index(archive, lambda text, parameters: session.rows(text, parameters, asked.within))
    listed = ((key, row, row["sop_instance_uid"]) for key, row in index.at(asked.keys).items())
    return {str(key): {"uid": uid, **_proof(row)} for key, row, uid in listed if uid is not None}


def copies(link: NodeLink, archive: ArchiveProduct, asked: StoreCopies) -> dict[str, JsonValue]:
    """Find, read and judge copies; answers what `StoreCopies` documents."""
    deadline = Deadline(asked.within)
    listed = link.reading().rows(archive.copies_sql, {"uids": list(asked.uids)}, asked.soon)
    listed = [{**row, "size": size_of(row)} for row in listed]
    order = {uid: place for place, uid in enumerate(asked.uids)}
    listed.sort(key=lambda row: order[row["sop_instance_uid"]])
    room = int(SLOWEST * asked.within.total_seconds())
    # The smallest first: what cannot be read in time costs no other its turn.
    chosen = sorted(_readable(listed, asked.most_objects, room), key=lambda one: one[1]["size"])
    longest = asked.soon.total_seconds() + sum(row["size"] for _, row in chosen) / SLOWEST
    states = _states(link, chosen, timedelta(seconds=max(1.0, min(longest, deadline.left))))
    found: dict[str, Any] = {}
    for place, row in enumerate(listed):
        state, uid = states.get(place, "not-read" if row["size"] > room else "waits"), row["sop_instance_uid"]
        before = found.get(uid)
        if before is None or BEST_FIRST.index(state) < BEST_FIRST.index(before["state"]):
            found[uid] = {"state": state, **_proof(row)}
    return found


def _readable(listed: list[dict[str, Any]], most: int, room: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Choose what may be read; one that is too large is left out, and smaller ones after it are not."""
    count = size = 0
    for place, row in enumerate(listed):
        if count < most and size + row["size"] <= room:
            count, size = count + 1, size + row["size"]
            yield place, row


def _states(link: NodeLink, chosen: list[tuple[int, dict[str, Any]]], within: timedelta) -> dict[int, str]:
    """Let the node read them and compare. What has a digest is proven by that, whatever its header is like.

    The archive goes first: while it moves images, nothing is read. What was being read when the time was over has had
    its turn: others come first the next night.
    """
    objects: list[JsonValue] = [
        [place, row["path"], row["size"], row["algorithm"], row["digest"], "other" if row["digest"] else "dicom"]
        for place, row in chosen
    ]
    if not objects:
        return {}
    request: dict[str, JsonValue] = {"objects": objects}
    if (dicom := link.node.dicom) is not None:
        request["pause"] = {"port": dicom.port, "above": PAUSE_ABOVE}
    answer: Any = link.program().observe("store-verify", request, within)
    if not answer["store_present"]:
        raise CouldNotLook("its store is not mounted, or empty", where=link.name)
    damaged = {key for key, _, _ in answer["deviations"]}
    states = {place: "sound" if row["digest"] else "unproven" for place, row in chosen[: answer["checked"]]}
    begun = {place: "not-read" for place, _ in chosen[answer["checked"] :][:1]}
    return begun | {place: "damaged" if place in damaged else state for place, state in states.items()}


def _proof(row: dict[str, Any]) -> dict[str, JsonValue]:
    return {"algorithm": row["algorithm"], "digest": row["digest"] and row["digest"].lower()}
