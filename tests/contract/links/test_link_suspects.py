"""pydicom is asked about suspects in a process of its own, which takes no more than it is given and says one word."""

import base64
import signal
import subprocess
import sys
from typing import Any

import pytest

from maintainer.errors import CouldNotLook
from maintainer.links import dicom_opinion, store_suspects
from maintainer.links.dicom_opinion import CRASHED, OUT_OF_TIME, opinion
from maintainer.links.store_suspects import HEADER_BYTES, MOST, Suspects
from tests.contract.node.hostile import HOSTILE, IMAGE, NAME, part_10

WRONG = {"why": "bad-item", "offset": 300, "size": 40_000}


def test_a_sound_header_is_read() -> None:
    """What pydicom reads is no complaint."""
    assert opinion(IMAGE[:5000]) == ""


@pytest.mark.fault(43)
@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("random", "InvalidDicomError"),
        ("20,000 sequences without length", "RecursionError"),
        ("a deflate bomb of 200 MB", ""),
        ("deflated garbage", "DeflateError"),
        ("millions of elements", ""),
    ],
)
def test_a_hostile_header_ends_in_a_word(name: str, word: str) -> None:
    """It comes to its end, and what is said is the name of a complaint and nothing else."""
    assert opinion(HOSTILE[name][0]()[:HEADER_BYTES]) == word


def test_a_complaint_holds_nothing_of_the_patient() -> None:
    """Only its class is said: its text may be a value of the object."""
    said = opinion(part_10(NAME + b"\xfe\xff\x00\xe0" * 40))
    assert "DOE" not in said
    assert said == "" or said.isidentifier()


def test_the_process_cannot_take_more_than_it_is_given() -> None:
    """Beside pydicom's own code there are 256 MB."""
    greedy = "from maintainer.links import dicom_opinion as one; one._main(); bytearray(300 << 20)"
    done = subprocess.run([sys.executable, "-c", greedy], input=IMAGE, capture_output=True, check=False)
    assert done.returncode == 1
    assert b"MemoryError" in done.stderr


def test_the_process_is_told_that_its_time_is_over() -> None:
    """By the signal that means that and nothing else, so that it is not taken for one that broke."""
    endless = "from maintainer.links import dicom_opinion as one; one.SECONDS = 1; one._main()\nwhile True: pass"
    done = subprocess.run([sys.executable, "-c", endless], input=IMAGE, capture_output=True, check=False)
    assert done.returncode == -signal.SIGXCPU


def test_one_who_breaks_or_hangs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that came to another end than its own has said nothing, and that is said."""
    monkeypatch.setattr(dicom_opinion, "WAIT", 0.01)
    assert opinion(IMAGE[:5000]) == OUT_OF_TIME
    monkeypatch.setattr(dicom_opinion, "WAIT", 20.0)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert opinion(IMAGE[:5000]) == CRASHED


class Node:
    """It has one object; the others were deleted after they were read."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def ask(self, program: str, request: dict[str, Any]) -> Any:
        self.asked.append((program, request["path"]))
        if request["path"] != "there":
            raise CouldNotLook("No such file or directory")
        return {"bytes_base64": base64.b64encode(IMAGE[: request["limit"]][:5000]).decode()}


def test_a_suspect_has_the_word_in_its_evidence() -> None:
    """What the node said stays, and what pydicom says stands beside it; who is no suspect is not asked for."""
    node = Node()
    suspects = Suspects(node.ask)
    assert suspects.evidence("there", "header", WRONG) == {**WRONG, "pydicom": "reads it"}
    assert suspects.evidence("there", "digest", {"size": 1}) == {"size": 1}
    assert node.asked == [("store-header", "there")]


def test_a_suspect_that_is_gone_does_not_end_the_look() -> None:
    """An archive deletes while it is looked at."""
    assert Suspects(Node().ask).evidence("gone", "header", WRONG) == WRONG


def test_only_so_many_are_asked_about_in_one_look() -> None:
    """A store full of them costs no more than a few seconds."""
    node = Node()
    suspects = Suspects(node.ask)
    assert all(
        suspects.evidence(f"gone{number}", "header", WRONG) == WRONG for number in range(store_suspects.MOST + 5)
    )
    assert len(node.asked) == MOST


def test_a_node_that_hangs_is_not_waited_for_once_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that gives no answer costs one question's patience, not twenty times that."""
    node = Node()
    suspects = Suspects(node.ask)
    monkeypatch.setattr(store_suspects, "LONGEST", 0.0)
    assert [suspects.evidence(name, "header", WRONG) for name in ("gone", "there")] == [WRONG, WRONG]
    assert node.asked == [("store-header", "gone")]
