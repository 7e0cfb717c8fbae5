"""No patient's name and no secret comes out anywhere: on no screen, in no log, in no file of the controller."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e import canaries
from tests.e2e.driver import Answer, Controller, controller, endings, findings
from tests.practice_fixture import Practice

pytestmark = pytest.mark.timeout(300)  # everything is said once, in a fixture

LOUD = ("--verbose", "--log-format", "json"), ("--verbose", "--log-format", "console")
RUN = (*LOUD[0], "run", "--json")
THEIRS = ("--task", "nosy", "--task", "wrong")
ENTRY_POINTS = "[maintainer.tasks]\nnosy = tests.e2e.nosy_task:Nosy\nwrong = tests.e2e.nosy_task:Wrong\n"
METADATA = "Metadata-Version: 2.1\nName: nosy-tasks\nVersion: 1\n"


@dataclass
class Said:
    """Everything that came out on screens, and where the rest lies."""

    practice: Practice
    me: Controller
    folder: Path
    damaged: Path
    answers: list[tuple[str, Answer]] = field(default_factory=list)

    def say(self, me: Controller, *words: str, env: dict[str, str] | None = None) -> Answer:
        answer = me.do(*words, env=env)
        self.answers.append((" ".join(words), answer))
        return answer

    def of(self, words: str) -> Answer:
        return next(answer for said, answer in self.answers if said == words)

    def screens(self) -> Iterator[tuple[str, bytes]]:
        for words, answer in self.answers:
            yield f"stdout of {words}", answer.stdout.encode()
            yield f"stderr of {words}", answer.stderr.encode()


@pytest.fixture(scope="module")
def said(shared_practice: Practice, tmp_path_factory: pytest.TempPathFactory) -> Said:
    """Plant canaries, use every command as loudly as it can be used, and provoke every error that quotes something."""
    folder = tmp_path_factory.mktemp("canaries")
    me = controller(folder, {"practice": shared_practice})
    said = Said(shared_practice, me, folder, canaries.plant(shared_practice))
    assert canaries.send(shared_practice, canaries.EVE, "CANARY-4713") == ""
    _work(said)
    _read(said)
    _third_party(said)
    _wrong_secrets(said)
    return said


def _work(said: Said) -> None:
    json, console = LOUD
    for words in ((*json, "plan"), (*json, "check"), RUN, (*console, "run"), (*console, "plan", "--json")):
        said.say(said.me, *words)


def _read(said: Said) -> None:
    out = str(said.folder / "state" / "export")
    for words in (("status",), ("log", "list"), ("log", "verify"), ("log", "export", out), ("calendar",)):
        said.say(said.me, *LOUD[0], *words)
    for record in said.me.records():
        if record["kind"] in {"outcome", "finding"}:
            said.say(said.me, "log", "show", str(record["seq"]))


def _third_party(said: Said) -> None:
    """Install tasks that raise an error which quotes a row, and one that takes a row for something else."""
    packages = said.folder / "packages"
    metadata = packages / "nosy_tasks-1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(METADATA)
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    me = Controller(said.folder / "third.toml", said.folder / "state")
    tasks = '\n[tasks.nosy]\nwindow = "any-time"\n\n[tasks.wrong]\nwindow = "any-time"\n'
    me.inventory.write_text(said.me.inventory.read_text("utf-8") + tasks, "utf-8")
    root = Path(__file__).parents[2]
    for loud in LOUD:
        for command in ("plan", "run"):
            said.say(me, *loud, command, *THEIRS, env={"PYTHONPATH": f"{packages}:{root}"})


def _wrong_secrets(said: Said) -> None:
    layout = said.practice.layout
    for secret, old, content in (
        ("password", layout.database_password, canaries.WRONG_PASSWORD),
        ("key", layout.client_key, f"-----BEGIN OPENSSH PRIVATE KEY-----\n{canaries.BAD_KEY}\n"),
    ):
        file = said.folder / f"wrong-{secret}"
        file.write_text(content + "\n")
        file.chmod(0o600)
        me = _variant(said, secret, f'"{old}"', f'"{file}"')
        for words in (("plan",), ("check",), ("run", "--task", "db-vacuum")):
            said.say(me, *LOUD[0], *words)
    inline = _variant(
        said, "inline", f'password = {{ file = "{layout.database_password}" }}', f'password = "{canaries.INLINE}"'
    )
    said.say(inline, *LOUD[0], "check")


def _variant(said: Said, name: str, old: str, new: str) -> Controller:
    me = Controller(said.folder / f"{name}.toml", said.folder / "state")
    me.inventory.write_text(said.me.inventory.read_text("utf-8"), "utf-8")
    me.edit(old, new)
    return me


def _all(said: Said) -> tuple[str, ...]:
    key = [line for line in said.practice.layout.client_key.read_text("ascii").splitlines() if "-----" not in line]
    secrets = (canaries.PASSWORD, canaries.WRONG_PASSWORD, canaries.BAD_KEY, canaries.INLINE, "CANARY")
    return (*canaries.PATIENTS, *secrets, *key)


def test_nothing_on_any_screen(said: Said) -> None:
    """Neither stdout nor stderr of any command, loud as it was."""
    assert canaries.sightings(said.screens(), _all(said)) == []


def test_nothing_in_the_controllers_folder(said: Said) -> None:
    """Neither in the intervention log nor in its index, its export, the private names or anything else there."""
    written = dict(canaries.contents(said.me.state))
    assert {"interventions.jsonl", "index.sqlite", "private.sqlite", "run.lock", "export/selected.csv"} <= set(written)
    assert canaries.sightings(written.items(), _all(said)) == []


def test_nothing_in_the_logs_of_our_servers(said: Said) -> None:
    """The practice archive and its SSH server are ours too. PostgreSQL's own log quotes rows: it is the clinic's."""
    logs = {name: said.practice.layout.log(name).read_bytes() for name in ("archive", "sshd")}
    assert b"C-STORE: CheckViolation" in logs["archive"]
    assert canaries.sightings(logs.items(), _all(said)) == []


def test_the_canaries_were_there_to_be_seen(said: Said) -> None:
    """The search finds them where they were planted, and the errors that quote them did happen."""
    assert said.damaged.read_bytes().find(canaries.ALICE.encode()) > 0
    store = {
        canary for _, canary in canaries.sightings(canaries.contents(said.practice.layout.store), canaries.PATIENTS)
    }
    assert store == {canaries.ALICE, canaries.ALICE_ID, canaries.CAROL}
    quoted = said.practice.layout.log("postgres").read_bytes()
    assert quoted.count(b"cannot shout CANARY^BOB") >= 2
    for form in canaries._forms(canaries.ALICE.encode()):
        assert canaries.sightings([("x", b"--" + form + b"--")], [canaries.ALICE]) == [("x", canaries.ALICE)]


def test_what_happened_is_said_all_the_same(said: Said) -> None:
    """Class and place of every trouble come out, without what it was about."""
    run = said.of(" ".join(RUN)).document
    assert {cause for _, cause, _ in findings(run["tasks"])} >= {"object-size", "object-header"}
    failed = [title.partition(" (")[0] for *_, title, ending in endings(run) if ending == "failed"]
    assert failed == ['vacuum "public"."letters"', 'rebuild "public"."letters_shout"']
    assert "P0001" in said.of(" ".join(RUN)).stdout
    for loud in LOUD:
        told = said.of(" ".join((*loud, "plan", *THEIRS)))
        assert (told.code, "rows.0.patient" in told.stdout) == (3, True)
        assert ("ValueError" in told.stderr, "nosy_task.py" in told.stderr) == (True, True)


def test_what_names_a_patients_object_can_be_found_again(said: Said) -> None:
    """On the controller, and nowhere else: the log has a keyed hash, `log reveal` the file."""
    named = [record["finding"] for record in said.me.records() if record["kind"] == "finding"]
    cut = next(finding["subject"] for finding in named if finding["cause"] == "object-size")
    assert said.practice.layout.store / said.me.json("log", "reveal", cut)["is"] == said.damaged
