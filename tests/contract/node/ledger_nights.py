"""What the tests of a store's ledger ask a node: to learn rows, to read, to seal, and how the ledger stands then."""

import contextlib
import hashlib
import sqlite3
from pathlib import Path
from typing import Any

from tests.contract.node.images import image
from tests.contract.node.own_node import OwnNode, manifest

EVERYTHING: dict[str, Any] = {
    "bytes": None,
    "rate": None,
    "threads": 2,
    "walk": True,
    "grace_seconds": 0,
    "lost_share": 0.01,
}
NIGHT = "2026-11-24T22:00:00+00:00"


def with_six_images(node: OwnNode) -> OwnNode:
    """A node with a store of six images, of which the index kept a digest of all but the last two."""
    for number in range(6):
        put(node, number)
    return node


def put(node: OwnNode, number: int, content: bytes | None = None) -> Path:
    file = node.store / "aa" / str(number)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(image(number) if content is None else content)
    return file


def row(number: int, **changed: Any) -> list[Any]:
    content = image(number)
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest() if number < 4 else None
    fields = {"key": number + 1, "path": f"aa/{number}", "size": len(content), "algorithm": "md5", "digest": digest}
    return list({**fields, "kind": "dicom", "uid": None, **changed}.values())


def learn(node: OwnNode, *rows: list[Any], after: int = 0, through: int = 6, night: str = NIGHT) -> Any:
    return node.act("store-learn", night=night, after=after, through=through, objects=list(rows), lost_share=0.01)


def read(node: OwnNode, **changed: Any) -> Any:
    """Read, and prove that the store is as it was."""
    before = manifest(node.store)
    answer = node.act("store-read", **{**EVERYTHING, **changed})
    assert manifest(node.store) == before
    return answer


def seal(node: OwnNode, night: str = NIGHT) -> str:
    return str(node.act("store-seal", night=night, lost="", compared=None)["root"])


def settle(node: OwnNode) -> None:
    """Confirm all that deviates, as if the index still listed it."""
    found = node.observe("store-unsettled", limit=100)
    keys = [key for key, _, _ in found["objects"]]
    node.act("store-settle", confirmed=keys, gone=[], strays=found["strays"], known=[])


def look(node: OwnNode) -> Any:
    """Look, and prove that looking leaves no trace in the node's state."""
    before = manifest(node.state)
    answer = node.observe("store-ledger")
    assert manifest(node.state) == before
    return answer


def deviations(node: OwnNode) -> dict[str, str]:
    settle(node)
    return {path: verdict for path, verdict, _, _ in look(node)["ledger"]["deviations"]}


def age(node: OwnNode, seconds: int) -> None:
    """Let time pass since everything was read."""
    with contextlib.closing(sqlite3.connect(node.state / "store-ledger.sqlite")) as opened, opened:
        opened.execute("UPDATE turns SET began = began - ?", (seconds,))
