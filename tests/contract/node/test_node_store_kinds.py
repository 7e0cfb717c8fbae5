"""Files of a store that are no DICOM objects: attachments, and what the archive has compressed."""

import hashlib
from typing import Any

import pytest

from maintainer.errors import CouldNotLook
from tests.contract.node.own_node import OwnNode

REPORT = b"MZ a report, which begins like a program and is no image"


def row(kind: str, **changed: Any) -> list[Any]:
    digest = hashlib.md5(REPORT, usedforsecurity=False).hexdigest()
    fields = {"key": 1, "path": "report", "size": len(REPORT), "algorithm": "md5", "digest": digest, "kind": kind}
    return list({**fields, **changed}.values())


def verdicts(node: OwnNode, *rows: list[Any]) -> list[tuple[str, dict[str, Any]]]:
    answer = node.observe("store-verify", objects=list(rows))
    return [(verdict, evidence) for _, verdict, evidence in answer["deviations"]]


def test_what_is_no_object_has_no_header(own_node: OwnNode) -> None:
    """As an image the same bytes are a wrong header and an executable preamble; as another file they are sound."""
    (own_node.store / "report").write_bytes(REPORT)
    assert verdicts(own_node, row("other")) == []
    assert [verdict for verdict, _ in verdicts(own_node, row("dicom"))] == ["header", "executable-preamble"]


def test_what_is_no_object_is_still_proven_by_its_digest(own_node: OwnNode) -> None:
    """A changed byte is found, and nothing is said of a header that there cannot be."""
    (own_node.store / "report").write_bytes(REPORT[:-1] + b"!")
    ((verdict, evidence),) = verdicts(own_node, row("other"))
    assert (verdict, evidence["header"]) == ("digest", "not-an-object")


def test_an_unknown_kind_is_refused(own_node: OwnNode) -> None:
    """A kind that the program does not know is a bad request, never taken for another one."""
    with pytest.raises(CouldNotLook, match="kind is one of dicom, other"):
        own_node.observe("store-verify", objects=[row("pdf")])
