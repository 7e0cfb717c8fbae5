"""What comes out: one document for programs, whole lines in a pipe, tables at a terminal of any width, and help."""

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from maintainer import __version__
from maintainer.cli.root import COMMANDS, cli
from tests.e2e.driver import Answer, Controller, controller, endings
from tests.e2e.terminal import COLOUR, ESCAPE, at_terminal
from tests.practice_fixture import Practice

HELP = Path(__file__).with_name("help.txt")
FORMATS = {
    ("check",): "maintainer.check/1",
    ("check", "--offline"): "maintainer.check/1",
    ("plan",): "maintainer.plan/1",
    ("run",): "maintainer.run/1",
    ("status",): "maintainer.status/1",
    ("calendar",): "maintainer.calendar/1",
    ("calendar", "--timer"): "maintainer.timer/1",
    ("log", "list"): "maintainer.log/1",
    ("log", "show", "2"): "maintainer.log/1",
    ("log", "note", "seen"): "maintainer.log/1",
    ("log", "verify"): "maintainer.verify/1",
    ("log", "export", "EXPORT"): "maintainer.export/1",
    ("log", "reveal", "OBJECT"): "maintainer.reveal/1",
    ("store", "list"): "maintainer.store/1",
    ("store", "show", "OBJECT"): "maintainer.store/1",
    ("store", "ack", "OBJECT", "--why", "known"): "maintainer.log/1",
    ("group", "list"): "maintainer.groups/1",
    ("practice", "status", "--folder", "PRACTICE"): "maintainer.practice/1",
}


@pytest.fixture(scope="module")
def me(shared_practice: Practice, tmp_path_factory: pytest.TempPathFactory) -> Controller:
    """A controller that has two runs behind it: one that did something and found something, one that did nothing."""
    made = controller(tmp_path_factory.mktemp("output"), {"practice": shared_practice})
    shared_practice.break_("flipped-bit")
    shared_practice.break_("dead-rows")
    assert [ending for *_, ending in endings(made.json("run"))] == ["done"]
    assert endings(made.json("run")) == []
    return made


def _filled(me: Controller, practice: Practice, words: tuple[str, ...]) -> list[str]:
    found = [record["finding"]["subject"] for record in me.records() if record["kind"] == "finding"]
    places = {"EXPORT": str(me.inventory.parent / "json-export"), "OBJECT": found[0], "PRACTICE": str(practice.folder)}
    return [places.get(word, word) for word in words]


@pytest.mark.parametrize("words", FORMATS, ids=" ".join)
def test_json_is_one_document_and_nothing_else(
    words: tuple[str, ...], me: Controller, shared_practice: Practice
) -> None:
    """`--json` prints one document with its format's name, also when it has findings; stderr stays empty."""
    answer = me.do(*_filled(me, shared_practice, words), "--json")
    assert answer.document["format"] == FORMATS[words]
    assert (answer.stderr, answer.stdout.count("\n{")) == ("", 0)
    assert answer.code in {0, 1}
    assert not ESCAPE.search(answer.stdout)


def test_json_stays_one_document_when_much_is_told(me: Controller) -> None:
    """What the program says about itself goes to stderr, line by line, as JSON where that is asked for."""
    answer = me.do("--verbose", "--log-format", "json", "plan", "--json")
    assert answer.document["format"] == "maintainer.plan/1"
    told = [json.loads(line) for line in answer.stderr.splitlines()]
    assert {one["event"] for one in told} >= {"TaskStarted", "TaskDecided"}


def test_every_command_that_answers_has_json() -> None:
    """Only what stays in the foreground, or prints a script or a program, has none."""
    without = {name for name, command in _leaves(cli) if "--json" not in _options(command)}
    assert without <= {"agent", "node prepare", "node program"}


@pytest.mark.parametrize("words", [("plan",), ("run",), ("status",), ("check",), ("log", "list"), ("calendar",)])
def test_a_pipe_gets_whole_lines_without_colour(words: tuple[str, ...], me: Controller) -> None:
    """Nothing is cut or folded at any width, and no escape sequence is in it."""
    answer = me.do(*words, env={"COLUMNS": "40", "TERM": "xterm-256color"})
    assert not ESCAPE.search(answer.stdout + answer.stderr)
    assert "…" not in answer.stdout.replace("object-…", "").replace(" … (", "")
    if words in {("plan",), ("run",), ("status",)}:
        assert any("keep the damaged file as evidence" in line and "object-digest" in line for line in _lines(answer))


@pytest.mark.parametrize("columns", [40, 200])
@pytest.mark.parametrize("words", [("plan",), ("status",), ("check",), ("log", "list"), ("calendar", "--days", "3")])
def test_a_terminal_of_any_width(columns: int, words: tuple[str, ...], me: Controller) -> None:
    """The same exit code as in a pipe; no line is wider than the terminal; what has to be copied is not cut."""
    answer, text = at_terminal(me.argv(*words), columns=columns)
    assert answer.code == me.do(*words).code
    prose = [line for line in text.splitlines() if len(line) > columns]
    # Sentences that click prints are folded by the terminal itself; tables are not.
    assert not [line for line in prose if "─" in line or line.startswith(" ")], prose
    if words in {("plan",), ("status",)}:
        (name,) = {r["finding"]["subject"] for r in me.records() if r["kind"] == "finding"}
        assert name in text


def test_colour_at_a_terminal_unless_it_is_not_wanted(me: Controller) -> None:
    """Critical findings are red; with NO_COLOR nothing has a colour, and the words are the same."""
    coloured, text = at_terminal(me.argv("status"), columns=120)
    plain, same = at_terminal(me.argv("status"), columns=120, env={"NO_COLOR": "1"})
    assert COLOUR.search(coloured.stdout)
    assert not COLOUR.search(plain.stdout)
    assert text == same


def test_a_person_is_asked_before_anything_is_done(shared_practice: Practice, tmp_path: Path) -> None:
    """At a terminal `run` shows the plan and asks: a no does nothing and leaves no log, a yes does what was shown."""
    me = controller(tmp_path, {"practice": shared_practice})
    shared_practice.break_("dead-rows")
    argv = me.argv("run", "--task", "db-vacuum")
    answer, text = at_terminal(argv, columns=100, typed="n\n")
    assert (answer.code, "Do this now?" in text, 'vacuum "public"."access_log"' in text) == (0, True, True)
    assert not me.journal.exists()
    answer, text = at_terminal(argv, columns=40, typed="y\n")
    assert answer.code == 0
    assert [r["ending"] for r in me.records() if r["kind"] == "outcome"] == ["done"]


def test_the_log_is_filtered_by_every_word(me: Controller) -> None:
    """Each option keeps what it says, and all of it; several keep what all of them say; `--limit` keeps the newest."""
    records = me.records()
    first, *_, last = (record for record in records if record["kind"] == "run-opened")
    for word, value in (
        ("node", "practice"),
        ("task", "db-vacuum"),
        ("kind", "intent"),
        ("ending", "done"),
        ("run", first["run"]),
    ):
        wanted = [record for record in records if record.get(word) == value]
        assert wanted
        assert _listed(me, f"--{word}", value) == wanted[-200:]
    moment = last["time"][:19]
    assert _listed(me, "--since", moment) == [record for record in records if record["time"] >= moment]
    assert _listed(me, "--until", moment) == [record for record in records if record["time"] < moment][-200:]
    both = _listed(me, "--task", "db-vacuum", "--kind", "outcome", "--run", first["run"])
    assert [(record["kind"], record["ending"]) for record in both] == [("outcome", "done")]
    assert _listed(me) == records[-200:]
    assert _listed(me, "--limit", "3") == records[-3:]
    assert _listed(me, "--ending", "unknown") == []


def test_a_record_is_shown_with_the_others_of_its_step(me: Controller) -> None:
    """An intent comes with its outcome; every field of the line is there."""
    intent, outcome = (record for record in me.records() if record["kind"] in {"intent", "outcome"})
    shown = me.json("log", "show", str(intent["seq"]))["records"]
    assert shown == [intent, outcome]
    assert intent["step"] == outcome["step"]
    text = me.do("log", "show", str(outcome["seq"])).stdout
    assert outcome["hash"] in text
    assert 'vacuum "public"."access_log"' in text


def test_a_note_is_a_record_of_the_chain(me: Controller) -> None:
    """With who wrote it and about which node; the log still verifies."""
    before = len(me.records())
    answer = me.do("log", "note", "new disks came", "--node", "practice")
    assert (answer.code, answer.stdout) == (0, f"Note {before + 1} is in the log.\n")
    note = me.records()[-1]
    assert (note["kind"], note["node"], note["text"], "@" in note["actor"]) == (
        "note",
        "practice",
        "new disks came",
        True,
    )
    assert me.do("log", "verify").code == 0
    assert me.do("log", "note", "x", "--node", "elsewhere").code == 2


def test_an_export_is_verified_by_python_alone(me: Controller, tmp_path: Path) -> None:
    """Elsewhere, without this product: the exported verifier says that it is whole, and where one byte was changed."""
    there = tmp_path / "export"
    document = me.json("log", "export", str(there), "--ending", "done")
    assert (document["records"], document["selected"]) == (len(me.records()), len(_listed(me, "--ending", "done")))
    rows = list(csv.DictReader((there / "selected.csv").read_text("utf-8").splitlines()))
    assert [row["ending"] for row in rows] == ["done"] * document["selected"]
    assert me.do("log", "export", str(there)).code == 2
    verify = [sys.executable, "-I", str(there / "verifier.py"), str(there / "interventions.jsonl")]
    whole = subprocess.run(verify, capture_output=True, text=True, check=False, cwd="/", timeout=60)
    assert (whole.returncode, f"is whole: {document['records']} records" in whole.stdout) == (0, True)
    log = there / "interventions.jsonl"
    content = log.read_bytes()
    at = content.index(b"db-vacuum")
    log.write_bytes(content[:at] + b"D" + content[at + 1 :])
    touched = subprocess.run(verify, capture_output=True, text=True, check=False, cwd="/", timeout=60)
    line = content[:at].count(b"\n") + 1
    assert (touched.returncode, f"interventions.jsonl:{line}: " in touched.stdout) == (1, True)


def test_the_schema_is_a_json_schema(me: Controller) -> None:
    """Draft 2020-12; every reference in it leads somewhere; every task has its settings in it."""
    schema = me.do("schema").document
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    references = set(_references(schema))
    assert references
    for reference in references:
        found: Any = schema
        for key in reference.removeprefix("#/").split("/"):
            found = found[key]
    assert "dead_fraction" in json.dumps(schema)


def test_help_is_as_it_is_known() -> None:
    """Word by word. When it is meant to change: `COLUMNS=80 maintainer --help > tests/e2e/help.txt`."""
    said = subprocess.run(
        [sys.executable, "-m", "maintainer", "--help"],
        env={"COLUMNS": "80", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert said.stdout == HELP.read_text("utf-8")
    assert said.stderr == ""


def test_every_command_has_help(me: Controller) -> None:
    """In one process: each says what it is for, and none needs an inventory to say it."""
    names = [name for name, _ in _leaves(cli)]
    assert {name.split()[0] for name in names} == set(COMMANDS)
    lines = "".join(f"start({[*name.split(), '--help']!r}); " for name in names)
    said = subprocess.run(
        [sys.executable, "-c", f"from maintainer.cli.root import start; {lines}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=me.inventory.parent.parent,
        timeout=60,
    )
    assert said.stdout.count("Usage: maintainer") == len(names)
    assert said.stderr == ""


def test_the_command_and_the_module_are_the_same(me: Controller) -> None:
    """`maintainer` and `python -m maintainer` both answer their version."""
    command = Path(sys.executable).with_name("maintainer")
    for argv in ([command], [sys.executable, "-m", "maintainer"]):
        said = subprocess.run([*argv, "--version"], capture_output=True, text=True, check=True, timeout=60)
        assert said.stdout == f"maintainer, version {__version__}\n"
    assert me.do().code == 2


def _lines(answer: Answer) -> list[str]:
    return answer.stdout.splitlines()


def _listed(me: Controller, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = me.json("log", "list", *words)["records"]
    return found


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (node["$ref"] for _ in range("$ref" in node))
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _references(child)


def _leaves(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _leaves(command, f"{before}{name} ")
        elif command is not None:
            yield f"{before}{name}", command


def _options(command: click.Command) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts}
