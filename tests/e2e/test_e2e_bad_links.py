"""Nodes that cannot be reached, prove nothing, let nobody in or do not answer: each says so, and nothing is changed."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from maintainer.practice.keys import _make_key, public_host_key
from maintainer.practice.postgres import Postgres
from maintainer.practice.processes import is_free
from maintainer.practice.service import Service
from tests.e2e.driver import Controller, endings, steps
from tests.e2e.evidence import differences, evidence
from tests.practice_fixture import Practice

DATABASE_TASKS = {"db-vacuum", "db-reindex", "dicom-integrity"}
ALL_TASKS = {"service-restart", "disk-cleanup", *DATABASE_TASKS}


class Trouble(NamedTuple):
    """What to break in the inventory, which tasks then cannot look, and what is said."""

    breaks: Callable[[Controller, Practice], None]
    tasks: set[str]
    sentence: str
    advice: str
    check: int


def _new_host_key(me: Controller, practice: Practice) -> None:
    me.edit(public_host_key(practice.layout), _public(me.inventory.parent / "another_host"))


def _no_known_hosts(me: Controller, practice: Practice) -> None:
    me.edit(f'host_key = "{public_host_key(practice.layout)}"', f'known_hosts = "{me.inventory.parent}/none"')


def _empty_known_hosts(me: Controller, practice: Practice) -> None:
    _no_known_hosts(me, practice)
    (me.inventory.parent / "none").write_text("# nobody\n")


def _new_client_key(me: Controller, practice: Practice) -> None:
    _public(me.inventory.parent / "another_client")
    me.edit(str(practice.layout.client_key), f"{me.inventory.parent}/another_client")


def _no_client_key(me: Controller, practice: Practice) -> None:
    me.edit(str(practice.layout.client_key), f"{me.inventory.parent}/no_key")


def _wrong_password(me: Controller, practice: Practice) -> None:
    file = me.inventory.parent / "password"
    file.write_text("wrong\n")
    file.chmod(0o600)
    me.edit(str(practice.layout.database_password), str(file))


def _open_password(me: Controller, practice: Practice) -> None:
    _wrong_password(me, practice)
    (me.inventory.parent / "password").chmod(0o644)


def _wrong_ssh_port(me: Controller, practice: Practice) -> None:
    free = next(port for port in range(practice.ports.ssh + 1, 65536) if is_free("127.0.0.1", port))
    me.edit(f"port = {practice.ports.ssh}", f"port = {free}")


def _stop_database(_me: Controller, practice: Practice) -> None:
    Postgres(practice.layout).stop()


TROUBLES = {
    "the port is closed": Trouble(_wrong_ssh_port, ALL_TASKS, "nothing listens on 127.0.0.1:", "is sshd running", 3),
    "the host key changed": Trouble(
        _new_host_key, ALL_TASKS, "the host key has changed", "at the node's own console", 3
    ),
    "there is no known_hosts": Trouble(_no_known_hosts, ALL_TASKS, "none cannot be read: No such", "ssh-keyscan", 3),
    "known_hosts has no line": Trouble(_empty_known_hosts, ALL_TASKS, "none has no line for", "append the line", 3),
    "the key is another": Trouble(_new_client_key, ALL_TASKS, "does not take the key of user", "authorized_keys", 3),
    "there is no key": Trouble(_no_client_key, ALL_TASKS, "no_key: the secret cannot be read", "create it", 3),
    "the password is wrong": Trouble(
        _wrong_password,
        DATABASE_TASKS,
        "the password of user maintainer is wrong",
        "correct nodes.practice.database.password",
        1,
    ),
    "others can read the password": Trouble(
        _open_password,
        {*DATABASE_TASKS, "service-restart"},
        "password: others can read or change the secret",
        "chmod 600",
        3,
    ),
    "the database is down": Trouble(_stop_database, DATABASE_TASKS, "nothing listens on", "is it running there?", 1),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_what_cannot_be_seen_is_said_and_left_alone(name: str, mended: Practice, alone: Controller) -> None:
    """Exit code 3; what, where and what to do, for each task that could not look; the other tasks work all the same."""
    trouble = TROUBLES[name]
    mended.break_("full-spool")
    trouble.breaks(alone, mended)
    before = evidence(mended)
    cleans = "disk-cleanup" not in trouble.tasks

    plan = alone.here("plan", "--json")
    _says(plan.document["entries"], trouble)
    assert (plan.code, bool(steps(plan.document))) == (3, cleans)
    assert differences(before, evidence(mended)) == []
    check = alone.here("check")
    assert (check.code, trouble.sentence in check.stdout) == (trouble.check, True)

    run = alone.here("run", "--json")
    _says(run.document["tasks"], trouble)
    assert (run.code, {ending for *_, ending in endings(run.document)}) == (3, {"done"} if cleans else set())
    changed = differences(before, evidence(mended))
    assert all(name.startswith(("file spool", "file logs")) for name in changed)
    assert bool(changed) is cleans
    assert alone.here("log", "verify").code == 0


def test_what_could_not_be_seen_never_looks_like_nothing(mended: Practice, alone: Controller) -> None:
    """For people too: a plan without a look does not end in "Nothing left to do"."""
    _new_host_key(alone, mended)
    answer = alone.here("plan")
    assert "Nothing left to do" not in answer.stdout
    assert "5 of 5 tasks could not look" in answer.stdout
    assert (alone.here("run").code, alone.here("status").code) == (3, 0)
    assert "unseen" in alone.here("status").stdout


def test_a_stopped_archive_is_started(mended: Practice, alone: Controller) -> None:
    """A start and a proof, without a stop; then it serves."""
    Service(mended.layout, "archive").stop()
    assert [title for *_, title in steps(alone.json("plan"))] == ["start archive", "prove that the node serves"]
    check = alone.here("check")
    assert (check.code, "stopped" in check.stdout) == (1, True)
    run = alone.here("run", "--json")
    assert (run.code, [ending for *_, ending in endings(run.document)]) == (0, ["done", "done"])
    assert alone.here("check").code == 0


def test_an_archive_is_not_restarted_for_its_databases_fault(mended: Practice, alone: Controller) -> None:
    """While PostgreSQL is down, a hung archive is left alone: the sentence says what to bring back first."""
    mended.break_("hung-archive")
    Postgres(mended.layout).stop()
    run = alone.here("run", "--json", "--task", "service-restart")
    (task,) = run.document["tasks"]
    assert (run.code, task["answer"]["kind"], task["steps"]) == (4, "refuse", [])
    assert "restarting would not help" in task["answer"]["because"]
    assert "PostgreSQL" in task["answer"]["hint"]
    assert [part.state for part in mended.pacs.status()] == ["stopped", "running", "hung"]


def test_a_start_that_fails_is_said_and_ends_the_nodes_night(mended: Practice, alone: Controller) -> None:
    """Stopped, and its script cannot start it: failed, with the script's words; nothing else is done on this node."""
    script = mended.layout.archive_script
    whole = script.read_text("utf-8")
    mended.break_("full-spool")
    Service(mended.layout, "archive").stop()
    try:
        script.write_text('#!/bin/sh\n[ "$1" = start ] && { echo "licence expired"; exit 1; }\n' + whole)
        before = evidence(mended)
        run = alone.here("run", "--json")
        assert run.code == 1
        first = run.document["tasks"][0]["steps"]
        assert [done["ending"]["ending"] for done in first[:2]] == ["failed", "not-run"]
        assert "the start command ended with 1" in first[0]["ending"]["error"]
        assert [task["answer"]["kind"] for task in run.document["tasks"][1:]] == ["refuse"] * 4
        assert [name for name in differences(before, evidence(mended)) if not name.startswith("file run")] == []
    finally:
        script.write_text(whole)


def test_a_practice_pacs_that_is_down_says_so_itself(mended: Practice) -> None:
    """`practice status` ends with 1, `practice break` with a sentence, `practice up` brings it back."""
    folder = ("--folder", str(mended.folder))
    me = Controller(mended.inventory, mended.folder / "controller")
    assert me.here("practice", "down", *folder).code == 0
    status = me.here("practice", "status", *folder, "--json")
    assert (status.code, {part["state"] for part in status.document["parts"]}) == (1, {"stopped"})
    broken = me.here("practice", "break", "all", *folder)
    assert (broken.code, "start it: maintainer practice up" in broken.stderr) == (1, True)
    assert me.here("practice", "up", *folder).code == 0
    assert me.here("practice", "status", *folder).code == 0


def test_a_killed_archive_leaves_a_pid_file_that_deceives_nobody(mended: Practice, alone: Controller) -> None:
    """A process that was killed is stopped, not running, whatever its pid file says."""
    pid = next(part.pid for part in mended.pacs.status() if part.name == "archive")
    os.kill(pid or 0, signal.SIGKILL)
    assert next(title for *_, title in steps(alone.json("plan"))) == "start archive"
    assert alone.here("run").code == 0
    assert {part.state for part in mended.pacs.status()} == {"running"}


def _says(answers: list[dict[str, Any]], trouble: Trouble) -> None:
    unseen = {one["task"]: one["answer"] for one in answers if one["answer"]["kind"] == "unseen"}
    assert unseen.keys() == trouble.tasks
    for answer in unseen.values():
        assert trouble.sentence in answer["because"]
        assert trouble.advice in answer["hint"]


def _public(file: Path) -> str:
    return _make_key(file)
