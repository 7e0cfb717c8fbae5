"""What is wrong before any node is asked: the inventory, the command line, the hour. Nothing is touched."""

import datetime as dt
from pathlib import Path

import pytest

from tests.e2e.driver import Answer, Controller

SAMPLE = Path(__file__).parents[2] / "inventory.toml"
MISTAKES = (
    ('timezone = "Europe/Paris"', 'timezone = "Europe/Pariss"', "site.timezone"),
    ("port = 42022", "port = 420220", "nodes.practice.ssh.port"),
    ('keep_quarantined = "7d"', 'keep_quarantined = "7 days"', "nodes.practice.cleanup.spool.keep_quarantined"),
    ("dead_fraction = 0.2", "dead_fracton = 0.2", "tasks.db-vacuum.dead_fracton"),
    ("[tasks.disk-cleanup]\nwindow", "[tasks.disk-cleanup]\nwidow", "tasks.disk-cleanup.widow"),
)


@pytest.fixture
def alone(tmp_path: Path) -> Controller:
    """A controller with the sample inventory; nothing of what it describes is there."""
    made = Controller(tmp_path / "inventory.toml", tmp_path / "state")
    lines = SAMPLE.read_text("utf-8").splitlines(keepends=True)
    text = "".join(f'state = "{made.state}"\n' if line.startswith("state = ") else line for line in lines)
    made.inventory.write_text(text, "utf-8")
    return made


def refused(me: Controller, answer: Answer, code: int) -> str:
    """The sentence on stderr of a command that must have ended so, with nothing on stdout and nothing written."""
    assert (answer.code, answer.stdout) == (code, "")
    assert not me.state.exists()
    return answer.stderr


@pytest.mark.parametrize("command", ["check", "plan", "run", "status"])
def test_every_mistake_of_an_inventory_at_once(alone: Controller, command: str) -> None:
    """Each with file, line, column and the setting's path, whichever command reads it."""
    for old, new, _ in MISTAKES:
        alone.edit(old, new)
    said = refused(alone, alone.here(command), 2)
    lines = alone.inventory.read_text("utf-8").splitlines()
    for _, new, setting in MISTAKES:
        number = next(n for n, line in enumerate(lines, 1) if new.splitlines()[-1] in line)
        assert f"{alone.inventory}:{number}:" in said
        assert f" {setting}: " in said
    assert "did you mean `dead_fraction`?" in said


def test_the_mistakes_of_an_inventory_for_programs(alone: Controller) -> None:
    """With `--json`, the same sentences in one document."""
    for old, new, _ in MISTAKES:
        alone.edit(old, new)
    answer = alone.here("check", "--json")
    document = answer.document
    assert (document["format"], document["exit"], answer.code) == ("maintainer.error/1", 2, 2)
    assert len(document["problems"]) >= len(MISTAKES)
    assert all(problem in answer.stderr for problem in document["problems"])


def test_no_inventory(alone: Controller) -> None:
    """The path that was tried, and where to get one."""
    alone.inventory.unlink()
    said = refused(alone, alone.here("plan"), 2)
    assert said.startswith(f"{alone.inventory}: there is no such file")
    assert "--inventory FILE" in said
    for content in (b"", b"\xff\xfe\x00", b"[site\n", b"#" * 300_000, b"a = " + b"[" * 50_000):
        alone.inventory.write_bytes(content)
        said = refused(alone, alone.here("check", "--offline"), 2)
        assert said.startswith(f"{alone.inventory}:"), (content[:10], said)
    alone.inventory.unlink()
    alone.inventory.mkdir()
    assert str(alone.inventory) in refused(alone, alone.here("check"), 2)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("plan", "--node", "pacs-x"), "there is no node pacs-x\n  → it has practice"),
        (("run", "--task", "db-vacum"), "there is no task db-vacum\n  → it has service-restart, db-vacuum"),
        (("run", "--window", "evening"), "there is no window evening\n  → it has any-time, night"),
        (("run", "--plan", "plan.json", "--dry-run"), "--dry-run makes a plan, and --plan performs one"),
        (("run", "--plan", "no-such-plan.json"), "no-such-plan.json: cannot read the plan: No such file or directory"),
        (("log", "list", "--kind", "intents"), "there is no kind of record intents\n  → one of run-opened"),
        (("log", "show", "1"), "the log has no record 1"),
        (("log", "reveal", "object-0000000000000000"), "this controller does not know object-0000000000000000"),
        (
            ("plan", "--out", "/no/such/folder/plan.json", "--task", "disk-cleanup"),
            "plan.json: cannot write the plan there",
        ),
        (("plna",), "No such command 'plna'"),
        (("plan", "--windows"), "No such option"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, tuple) else "",
)
def test_what_the_command_line_asks_for_is_not_there(alone: Controller, words: tuple[str, ...], sentence: str) -> None:
    """What is wrong, and what there is instead."""
    answer = alone.here(*words)
    assert answer.code == 2, answer
    assert sentence in answer.stderr


def closed_today(me: Controller) -> None:
    """Let the one window that tasks use open in three days."""
    day = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[(dt.datetime.now(dt.UTC).weekday() + 3) % 7]
    me.edit('opens = "00:00"\ncloses = "00:00"', f'opens = "12:00"\ncloses = "13:00"\ndays = ["{day}"]')


def test_a_window_that_is_closed(alone: Controller) -> None:
    """`run --window` is refused and says when it opens."""
    closed_today(alone)
    said = refused(alone, alone.here("run", "--window", "any-time"), 4)
    opens = alone.json("calendar", "--days", "7")["windows"]
    first = next(row["opens_utc"] for row in opens if row["window"] == "any-time" and row["opens_utc"])
    assert said.startswith(f"the window any-time is closed now: it opens at {first[:16].replace('T', ' ')} UTC\n")
    assert "maintainer calendar" in said


def test_outside_all_windows_a_timer_is_told_that_nothing_was_done(alone: Controller) -> None:
    """`run --unattended` ends well, has asked no node, and has written nothing."""
    closed_today(alone)
    answer = alone.here("run", "--unattended")
    assert (answer.code, answer.stderr) == (0, "")
    assert "No window of these tasks is open now, so nothing was done; any-time opens at" in answer.stdout
    document = alone.json("run", "--unattended")
    assert (document["exit"], document["tasks"], alone.state.exists()) == (0, [], False)
