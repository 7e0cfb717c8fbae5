"""Several questions in one request to the real program: one start of Python, and each its own answer or trouble."""

import importlib.util
import io
import json
import subprocess
import zipfile
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from maintainer.errors import CouldNotLook
from maintainer.links.node_answers import FORMAT
from maintainer.links.node_bundle import bundle
from maintainer.links.node_program import BOOTSTRAP, OutOfTime, Question, zipapp_bytes
from tests.contract.node.own_node import OwnNode, interpreters, run_with
from tests.contract.node.prepared import prepare

TIME = timedelta(seconds=30)
HELLO, SERVICES, CLEANUP, NONE = (Question(name, {}) for name in ("hello", "services", "cleanup", "no-such"))

PROGRAMS = {
    "slow": "import time\ndef run(request, policy, deadline):\n    time.sleep(60)\n",
    "loading": "import time\ntime.sleep(60)\n",
    "huge": "def run(request, policy, deadline):\n    return 'x' * 7800000\n",
    "strange": "def run(request, policy, deadline):\n    return {1, 2}\n",
    "broken": "def run(request, policy, deadline):\n    raise KeyError('DOE^JOHN')\n",
    "unloadable": "import no_such_module\n",
    "misspelt": "def run(:\n",
    "endless": "def run(request, policy, deadline):\n    found = []\n    found.append(found)\n    return found\n",
    "deep": "import json\ndef run(request, policy, deadline):\n    found = []\n    for _ in range(5000):\n"
    "        found = [found]\n    return found\n",
}


@pytest.fixture
def third_party(own_node: OwnNode, tmp_path: Path) -> OwnNode:
    """A node for which somebody else's package brings programs of every bad kind."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name, source in PROGRAMS.items():
        (folder / f"observe_{name}.py").write_text(source)
    own_node.zipapp = zipapp_bytes([files("tasks.node"), folder])
    return own_node


@pytest.mark.parametrize("python", interpreters())
def test_one_look_answers_each_question(own_node: OwnNode, python: str) -> None:
    """On every Python that a node may have; a program that is not there costs no other its answer."""
    own_node.old("a.log")
    hello, none, cleanup, services = own_node.program(python).look([HELLO, NONE, CLEANUP, SERVICES], TIME)
    assert isinstance(hello, dict)
    assert hello["prepared"] is False
    assert isinstance(none, CouldNotLook)
    assert none.what == "there is no program no-such to observe"
    assert isinstance(cleanup, dict)
    assert cleanup["spool"]["files"] == 1  # type: ignore[index,call-overload]  # (a mapping, by contract)
    assert services == own_node.observe("services")


@pytest.mark.parametrize("python", interpreters())
def test_bytecode_is_taken_by_a_python_of_its_own_kind_alone(own_node: OwnNode, tmp_path: Path, python: str) -> None:
    """Told apart by a source that was changed afterwards: any other Python compiles that one."""
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "observe_which.py").write_text("def run(request, policy, deadline):\n    return 'bytecode'\n")
    raw = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(bundle(zipapp_bytes([folder]), ["which"]))) as given,
        zipfile.ZipFile(raw, "w") as changed,
    ):
        for name in given.namelist():
            changed.writestr(name, given.read(name).replace(b"return 'bytecode'", b"return 'source'"))
    request = {"format": FORMAT, "verb": "observe", "deadline_seconds": 20, "policy": own_node.policy}
    text = json.dumps({**request, "questions": [{"program": "which", "request": {}}]}).encode()
    sent = b"%d\n" % len(raw.getvalue()) + raw.getvalue() + text
    answer = json.loads(run_with(python)(BOOTSTRAP, sent, TIME).stdout)["answers"][0]["answer"]
    asked = [python, "-c", "import importlib.util as u; print(u.MAGIC_NUMBER.hex())"]
    magic = subprocess.run(asked, capture_output=True, check=True, text=True).stdout.strip()
    assert answer == ("bytecode" if magic == importlib.util.MAGIC_NUMBER.hex() else "source")


def test_programs_of_every_bad_kind_hide_no_other(third_party: OwnNode) -> None:
    """Too large, not JSON, broken, not loadable: each says so itself, and no text of theirs crosses the wire."""
    bad = ("huge", "strange", "endless", "deep", "broken", "unloadable", "misspelt")
    asked = [HELLO, *(Question(name, {}) for name in bad), CLEANUP]
    hello, huge, *no_json, broken, unloadable, misspelt, cleanup = third_party.program().look(asked, TIME)
    assert isinstance(hello, dict)
    assert isinstance(cleanup, dict)
    assert isinstance(huge, str)
    assert ["its answer is not JSON" in str(one) for one in no_json] == [True, True, True]
    assert "KeyError in observe_broken.py:2" in str(broken)
    assert "the program unloadable cannot be loaded here" in str(unloadable)
    assert "the program misspelt cannot be loaded here" in str(misspelt)
    assert "DOE" not in str(broken)


def test_an_answer_that_does_not_fit_beside_the_others_is_its_own_trouble(third_party: OwnNode) -> None:
    """Together they stay within what the link carries, and what comes after still has its answer."""
    huge, again, hello = third_party.program().look([Question("huge", {}), Question("huge", {}), HELLO], TIME)
    assert isinstance(huge, str)
    assert "the answer is larger than" in str(again)
    assert isinstance(hello, dict)


@pytest.mark.parametrize("slow_at", ["slow", "loading"])
def test_who_takes_all_the_time_costs_only_those_after_it(third_party: OwnNode, slow_at: str) -> None:
    """The deadline is one for all: what was answered before it is there, the rest ran out of time."""
    asked = [HELLO, Question(slow_at, {}), SERVICES]
    hello, slow, services = third_party.program().look(asked, timedelta(seconds=4))
    assert isinstance(hello, dict)
    assert isinstance(slow, OutOfTime)
    assert isinstance(services, OutOfTime)


def test_a_prepared_nodes_policy_is_asked_for_each_question(tmp_path: Path, zipapp: bytes) -> None:
    """What it does not allow is refused and the rest answered."""
    node = prepare(tmp_path, zipapp, programs={"observe": ["hello", "services"], "act": []})
    hello, cleanup, services = node.ask().look([HELLO, CLEANUP, SERVICES], TIME)
    assert isinstance(hello, dict)
    assert hello["prepared"] is True
    assert "policy does not allow cleanup to observe" in str(cleanup)
    assert services == {}


def test_a_policy_that_cannot_be_trusted_answers_nothing(tmp_path: Path, zipapp: bytes) -> None:
    """Each question says so itself."""
    node = prepare(tmp_path, zipapp)
    node.policy.write_text("{")
    answers: list[Any] = node.ask().look([HELLO, SERVICES], TIME)
    assert ["is not valid" in str(answer) for answer in answers] == [True, True]
