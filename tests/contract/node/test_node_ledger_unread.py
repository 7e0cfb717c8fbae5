"""A ledger that cannot be read is not called damaged: nobody is told to move it away."""

import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Thread
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


def test_whoever_looks_while_a_run_seals_sees_one_state(tmp_path: Path) -> None:
    """Its root and its seals are of one moment; the run waits for whoever looks, and then seals."""
    path = str(tmp_path / "ledger.sqlite")
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        LEDGER.prepare(writer, "/srv/store")
        with LEDGER.change(writer):
            LEDGER.seal(writer, "first")
        with LEDGER.change(writer):
            LEDGER.put(writer, stopped="quota")

    def seal() -> None:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=60)) as writer, LEDGER.change(writer):
            LEDGER.seal(writer, "second")

    run = Thread(target=seal)
    with LEDGER.to_read(path) as opened:
        before = seen(opened)
        run.start()
        run.join(1)
        assert seen(opened) == before
    run.join(60)
    with LEDGER.to_read(path) as opened:
        root, is_open, seals = seen(opened)
    assert (root == before[0], is_open, len(seals), seals[-1]) == (False, None, 2, root)


def seen(opened: Any) -> tuple[str, str | None, list[str]]:
    seals = [root for (root,) in opened.execute("SELECT root FROM seals ORDER BY number")]
    return LEDGER.root(opened), LEDGER.get(opened, "open"), seals
