"""A ledger that cannot be read is not called damaged: nobody is told to move it away."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from maintainer.errors import CouldNotLook
from maintainer.node import store_ledger
from maintainer.node.envelope import Failed
from tests.contract.node.own_node import OwnNode

LEDGER: Any = store_ledger


@pytest.mark.parametrize("program", ["store-ledger", "store-sums"])
def test_what_cannot_be_opened_could_not_be_looked_at(own_node: OwnNode, program: str) -> None:
    """As when it belongs to another user, or the disk does not answer."""
    (own_node.state / "store-ledger.sqlite").mkdir(parents=True)
    with pytest.raises(CouldNotLook, match="cannot be read: "):
        own_node.observe(program)


def test_what_is_being_written_could_not_be_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes holds it for seconds at the most; whoever asks is told to ask again."""
    monkeypatch.setattr(store_ledger, "_PATIENCE", 0.1)
    path = str(tmp_path / "ledger.sqlite")
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        LEDGER.prepare(writer, "/srv/store")
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Failed, match="locked"), LEDGER.to_read(path) as opened:
            LEDGER.root(opened)
