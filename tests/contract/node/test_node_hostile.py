"""Hostile DICOM, as it would lie in a store: a finding each, within a second and 64 MB, and never a crash."""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.filereader import data_element_generator

from maintainer.node.dicom_header import WORDS, examine
from tests.contract.node.examiner import SECONDS, Examiner
from tests.contract.node.hostile import HOSTILE, IMAGE, PROGRAMS, truncated
from tests.contract.node.own_node import OwnNode


@pytest.fixture(scope="module")
def examiner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examiner]:
    with Examiner(tmp_path_factory.mktemp("hostile")) as examiner:
        yield examiner


@pytest.mark.fault(43)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_told_within_a_second_and_64_mb(examiner: Examiner, name: str) -> None:
    """Each has the word that says what is wrong with it, whatever it tries to make the node do."""
    make, word = HOSTILE[name]
    told = examiner.look(make())
    assert told.why == word
    assert told.why in WORDS
    assert told.seconds < SECONDS


@pytest.mark.fault(43)
@pytest.mark.parametrize("name", PROGRAMS)
def test_an_image_that_is_a_program_too_is_told(examiner: Examiner, name: str) -> None:
    """Its structure is sound; what an operating system or a viewer would take it for is said beside."""
    content, word = PROGRAMS[name]
    assert examiner.look(content)[:2] == ("", word)


def test_the_limits_are_limits(tmp_path: Path) -> None:
    """What takes more than 64 MB breaks the process that reads: a bound that nothing can break would prove nothing."""
    with Examiner(tmp_path) as examiner:
        examiner.look(IMAGE)
        limit = Path(f"/proc/{examiner._process.pid}/limits").read_text()
        (line,) = [line for line in limit.splitlines() if line.startswith("Max address space")]
        assert int(line.split()[3]) < 1 << 30


@pytest.mark.fault(43)
def test_a_file_cut_off_within_any_element_is_told() -> None:
    """Wherever a file ends, but between two elements, where only its size can tell."""
    untold = {len(content) for content in truncated(IMAGE) if not _word(content)}
    assert untold
    assert untold <= _ends_of_elements()


def _word(content: bytes) -> str:
    return str(examine(lambda offset, count: content[offset : offset + count], len(content)).why)


def _ends_of_elements() -> set[int]:
    """Where pydicom's own reading of the file stands after each element, of the meta group too."""
    file = io.BytesIO(IMAGE)
    file.seek(132)
    return {file.tell() for _ in data_element_generator(file, is_implicit_VR=False, is_little_endian=True)}


@pytest.mark.fault(43)
def test_a_store_of_them_has_a_finding_for_each(own_node: OwnNode) -> None:
    """All of them in one scan: none keeps the others from being found, and none is taken for sound."""
    contents = {name: make() for name, (make, _) in HOSTILE.items()}
    contents |= {name: content for name, (content, _) in PROGRAMS.items()}
    rows: list[Any] = []
    for key, content in enumerate(contents.values()):
        (own_node.store / str(key)).write_bytes(content)
        rows.append([key, str(key), len(content), "sha256", hashlib.sha256(content).hexdigest(), "dicom"])
    answer = own_node.observe("store-verify", 120, objects=rows)
    found = {key: (verdict, evidence) for key, verdict, evidence in answer["deviations"]}
    assert answer["checked"] == len(rows)
    assert list(found) == list(range(len(rows)))
    words = [word for _, word in (*HOSTILE.values(), *PROGRAMS.values())]
    assert [evidence.get("looks_like") or evidence["why"] for _, evidence in found.values()] == words
