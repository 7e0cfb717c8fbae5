"""Looking for a good copy of a damaged object in another archive, by its SOP instance UID.

What is read there is a few objects, held against that archive's own digests; nothing is fetched and nothing is changed.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from pydantic import JsonValue

from maintainer.archives.product import ArchiveProduct
from maintainer.links.deadline import Deadline
from maintainer.links.node_link import NodeLink
from maintainer.model.task import StoreCopies, StoreInstances

BEST_FIRST = ("sound", "unproven", "waits", "not-read", "damaged")
"""An archive may keep several files of one instance."""


def instances(link: NodeLink, archive: ArchiveProduct, asked: StoreInstances) -> dict[str, JsonValue]:
    """Look up which SOP instances the index lists under these keys; answers what `StoreInstances` documents."""
    deadline, session = Deadline(asked.within), link.reading()
    found: dict[str, JsonValue] = {}
    for key in asked.keys:
        page = session.rows(archive.objects_sql, {"after": key - 1, "limit": 1}, _left(deadline))
        for row in page:
            if row["key"] == key and row["sop_instance_uid"] is not None:
                found[str(key)] = {"uid": row["sop_instance_uid"], **_proof(row)}
    return found


def copies(link: NodeLink, archive: ArchiveProduct, asked: StoreCopies) -> dict[str, JsonValue]:
    """Find, read and judge copies; answers what `StoreCopies` documents."""
    deadline = Deadline(asked.within)
    listed = link.reading().rows(archive.copies_sql, {"uids": list(asked.uids)}, _left(deadline))
    order = {uid: place for place, uid in enumerate(asked.uids)}
    listed.sort(key=lambda row: order[row["sop_instance_uid"]])
    states = _states(link, list(_readable(listed, asked)), deadline)
    found: dict[str, Any] = {}
    for place, row in enumerate(listed):
        never = row["size"] > asked.most_bytes
        state, uid = states.get(place, "not-read" if never else "waits"), row["sop_instance_uid"]
        before = found.get(uid)
        if before is None or BEST_FIRST.index(state) < BEST_FIRST.index(before["state"]):
            found[uid] = {"state": state, **_proof(row)}
    return found


def _readable(listed: list[dict[str, Any]], asked: StoreCopies) -> Iterator[tuple[int, dict[str, Any]]]:
    """Choose what may be read; one that is too large is left out, and smaller ones after it are not."""
    count = size = 0
    for place, row in enumerate(listed):
        if count < asked.most_objects and size + row["size"] <= asked.most_bytes:
            count, size = count + 1, size + row["size"]
            yield place, row


def _states(link: NodeLink, chosen: list[tuple[int, dict[str, Any]]], deadline: Deadline) -> dict[int, str]:
    """Let the node read them and compare. What has a digest is proven by that, whatever its header is like.

    What it was reading when its time was over has had its turn: others come first the next night.
    """
    objects: list[JsonValue] = [
        [place, row["path"], row["size"], row["algorithm"], row["digest"], "other" if row["digest"] else "dicom"]
        for place, row in chosen
    ]
    if not objects:
        return {}
    answer: Any = link.program().observe("store-verify", {"objects": objects}, _left(deadline))
    damaged = {key for key, _, _ in answer["deviations"]}
    states = {place: "sound" if row["digest"] else "unproven" for place, row in chosen[: answer["checked"]]}
    begun = {place: "not-read" for place, _ in chosen[answer["checked"] :][:1]}
    return begun | {place: "damaged" if place in damaged else state for place, state in states.items()}


def _proof(row: dict[str, Any]) -> dict[str, JsonValue]:
    return {"algorithm": row["algorithm"], "digest": row["digest"] and row["digest"].lower()}


def _left(deadline: Deadline) -> timedelta:
    return timedelta(seconds=max(1.0, deadline.left))
