"""A node's program that gives no answer: why, and whether it may have done its work all the same."""

import pytest

from maintainer.links.completed import Completed
from maintainer.links.node_silence import explain

PYTHON = "/usr/bin/python3"


@pytest.mark.parametrize(
    ("status", "stderr", "what"),
    [
        (127, "sh: 1: maintainer-node: not found", "the node is not prepared: this key opens a shell there"),
        (127, "bash: line 1: maintainer-node: command not found", "the node is not prepared"),
        (127, "sh: 1: sudo: not found", "something that the node's own program needs is not there: sh: 1: sudo"),
        (127, f"sh: 1: {PYTHON}: not found", "something that the node's own program needs is not there"),
        (1, f"sudo: {PYTHON}: command not found", "something that the node's own program needs is not there"),
        (1, "sudo: a password is required", "sudo on the node said no: sudo: a password is required"),
        (2, f"{PYTHON}: can't open file '/usr/local/lib/maintainer/node.pyz'", "the node's own program is not there"),
        (1, f"{PYTHON}: can't find '__main__' module in '/usr/local/lib/x'", "the node's own program is not there"),
    ],
)
def test_a_prepared_node_that_never_began(status: int, stderr: str, what: str) -> None:
    """Each way in which a set-up can be incomplete has its sentence, and nothing was done."""
    found = explain(Completed(b"", stderr.encode() + b"\n", status), "there was no output", prepared=True)
    assert found.what.startswith(what)
    assert "node prepare" in found.hint
    assert not found.may_have_begun


def test_a_program_that_was_cut_off_may_have_begun() -> None:
    """Any output, or an end that nothing explains, leaves it open; what is said names the way to compare programs."""
    for completed in (Completed(b"{", b"sudo: a password is required", 1), Completed(b"", b"Killed", 137)):
        found = explain(completed, "it is not JSON", prepared=True)
        assert found.may_have_begun
        assert "maintainer node program | sha256sum" in found.hint
    assert "sha256sum" not in explain(Completed(b"", b"Killed", 137), "x", prepared=False).hint


@pytest.mark.parametrize(
    ("status", "stderr", "what"),
    [
        (127, "sh: 1: python3: not found", "there is no python3 on the node"),
        (127, "sh: 1: sudo: not found", "there is no sudo on the node"),
        (1, "sudo: a password is required", "sudo on the node said no: sudo: a password is required"),
    ],
)
def test_a_program_that_is_sent_and_never_began(status: int, stderr: str, what: str) -> None:
    """Whether Python or sudo is not there is told apart."""
    found = explain(Completed(b"", stderr.encode() + b"\n", status), "there was no output", prepared=False)
    assert found.what == what
    assert not found.may_have_begun


def test_an_account_with_nologin_is_told() -> None:
    """Its only sign is a sentence on standard output."""
    found = explain(Completed(b"This account is currently not available.\n", b"", 1), "it is not JSON", prepared=False)
    assert "nologin" in found.what
    assert "usermod" in found.hint
    assert not found.may_have_begun


def test_output_of_another_program_leads_to_who_started_it() -> None:
    """A forced command is looked for in authorized_keys; what it printed is not repeated, it may be about patients."""
    found = explain(Completed(b"DOE^JOHN\n", b"", 0), "it is not JSON", prepared=False)
    assert "authorized_keys" in found.hint
    assert "DOE" not in found.what + found.hint
    assert "authorized_keys" not in explain(Completed(b"{", b"", 0), "it is not JSON", prepared=False).hint
