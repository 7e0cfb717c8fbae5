"""The check is proven on planted faults before anything is read on its word."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from maintainer.node import deadline, store_proof
from maintainer.node.envelope import DeadlinePassed

POLICY = SimpleNamespace(prepared=False)
prove: Callable[[SimpleNamespace, Any], list[str]] = store_proof.prove
Deadline: Callable[[float], Any] = deadline.Deadline


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node's state of one's own."""
    monkeypatch.setenv("HOME", str(tmp_path))


def test_the_check_finds_what_was_planted() -> None:
    """Every kind of fault as what it is, and nothing besides."""
    assert prove(POLICY, Deadline(60)) == []


def test_no_time_for_the_proof_is_no_check_that_fails() -> None:
    """Nobody is told not to believe the check because a window was about to close."""
    with pytest.raises(DeadlinePassed):
        prove(POLICY, Deadline(0))
