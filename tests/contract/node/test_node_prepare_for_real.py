"""The printed set-up, run for real: account, sudo rule, key, policy, database role, and all of it taken back."""

import hashlib
import pwd
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from maintainer.errors import ActionFailed, CouldNotLook, NodeUnreachable
from maintainer.links.lease import Holder, Lease
from maintainer.links.node_link import NodeLink
from maintainer.links.node_program import programs_in
from maintainer.model.inventory import Node
from maintainer.model.window import Window
from maintainer.planning.installed_policy import installed_policy
from maintainer.planning.policy import policy_of
from maintainer.planning.preparation import Preparation
from tests.contract.links import postgres_server, servers
from tests.contract.node import own_machine
from tests.contract.node.own_machine import OwnMachine, needs_a_machine

pytestmark = needs_a_machine
TIME = timedelta(seconds=20)
USER = "pacs-maint"
PROGRAM = "/usr/local/lib/maintainer/node.pyz"
AWKWARD = """/srv/a'b"c $(touch /etc/x) `id`\\"""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[OwnMachine]:
    made = own_machine.start(tmp_path)
    yield made
    own_machine.stop(made)


@pytest.fixture
def database() -> Iterator[postgres_server.Postgres]:
    server = postgres_server.start()
    yield server
    postgres_server.stop(server)


def inventory_node(machine: OwnMachine, **more: Any) -> Node:
    return Node.model_validate(
        {
            "address": "127.0.0.1",
            "ssh": {
                "user": USER,
                "port": machine.port or 22,
                "host_key": machine.host_key or "ssh-ed25519 AAAA",
                "key": {"file": str(machine.folder / "client")},
                "sudo": True,
                "prepared": True,
            },
            "services": {"orthanc": {"unit": "orthanc.service"}},
            "cleanup": {"spool": {"path": AWKWARD, "patterns": ["*.tmp", "$(id)'\""], "older_than": timedelta(days=1)}},
            **more,
        }
    )


@pytest.fixture
def preparation(machine: OwnMachine, zipapp: bytes) -> Preparation:
    machine.start_sshd()
    key = servers.write_key(machine.folder / "client")
    return make(inventory_node(machine), key, zipapp)


def make(node: Node, key: str, zipapp: bytes) -> Preparation:
    policy = installed_policy(
        node, (), programs_in(zipapp), [Window.model_validate({"opens": "22:00", "closes": "05:00"})]
    )
    return Preparation(name="pacs-b", node=node, key=key, sources=("127.0.0.1",), policy=policy, program=zipapp)


def set_up(machine: OwnMachine, made: Preparation, *arguments: str) -> str:
    """Run the printed script there."""
    script = machine.folder / "prepare.sh"
    script.write_text(made.set_up())
    done = machine.run("/bin/sh", str(script), *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


def undo(machine: OwnMachine, made: Preparation) -> str:
    script = machine.folder / "undo.sh"
    script.write_text(made.undoing())
    done = machine.run("/bin/sh", str(script))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def link(made: Preparation, node: Node | None = None) -> NodeLink:
    node = node or made.node
    return NodeLink("pacs-b", node, run_id="test", zipapp=made.program, policy=policy_of(node, ()))


def changed(node: Node, **ssh: Any) -> Node:
    return node.model_copy(update={"ssh": node.ssh.model_copy(update=ssh)})


def test_the_printed_script_prepares_a_machine(machine: OwnMachine, preparation: Preparation) -> None:
    """After the script ran, and after it ran again, the controller's key reaches the program as root, by its policy."""
    said = [set_up(machine, preparation), set_up(machine, preparation)]
    assert "this node is prepared" in said[0]
    assert [f"made the account {USER}" in each for each in said] == [True, False]
    opened = link(preparation)
    try:
        hello: Any = opened.program().observe("hello", {}, TIME)
    finally:
        opened.close()
    assert (hello["prepared"], hello["user"], hello["outside"]) == (True, "root", [])
    assert hello["program_sha256"] == hashlib.sha256(preparation.program).hexdigest()
    assert not Path("/etc/x").exists()
    assert machine.run("test", "-e", "/etc/x").returncode == 1
    with pytest.raises(KeyError):
        pwd.getpwnam(USER)


def test_the_key_opens_nothing_but_the_program(machine: OwnMachine, preparation: Preparation) -> None:
    """Whatever is asked for, the program answers, and no port but the database's can be reached."""
    set_up(machine, preparation)
    opened = link(preparation)
    try:
        done = opened.ssh().run("id; cat /etc/shadow", b"", TIME)
        assert done.stdout.startswith(b'{"format":"maintainer.node/2","ok":false')
        with pytest.raises(CouldNotLook, match="does not forward"):
            opened.ssh().open_tunnel("127.0.0.1", machine.port)
        sent = NodeLink(
            "pacs-b", changed(preparation.node, prepared=False), run_id="t", zipapp=preparation.program, policy={}
        )
        with pytest.raises(CouldNotLook, match="this node is prepared"):
            sent.program().observe("hello", {}, TIME)
        sent.close()
    finally:
        opened.close()


def test_sudo_lets_exactly_one_command_run(machine: OwnMachine, preparation: Preparation) -> None:
    """Not one argument more, fewer or other than the program's own."""
    set_up(machine, preparation)
    command = ["/usr/bin/python3", "-I", "-S", "-B", PROGRAM]
    tries = {
        "the rule": command,
        "one more": [*command, "x"],
        "one fewer": command[:-1],
        "another file": [*command[:-1], "/srv/node.pyz"],
        "a climb": [*command[:-1], "/usr/local/lib/maintainer/../maintainer/node.pyz"],
        "python alone": ["/usr/bin/python3", "-c", "1"],
        "a shell": ["/bin/sh"],
    }
    allowed = {
        name: machine.run("runuser", "-u", USER, "--", "sudo", "-n", "-l", *argv).returncode == 0
        for name, argv in tries.items()
    }
    assert allowed == {name: name == "the rule" for name in tries}


def test_what_the_node_refuses_stands_in_its_own_log(machine: OwnMachine, preparation: Preparation) -> None:
    """A unit that the policy does not have is refused by the node, whatever the controller's inventory says."""
    set_up(machine, preparation)
    wider = {"orthanc": {"unit": "orthanc.service"}, "sshd": {"unit": "ssh.service"}}
    opened = link(preparation, inventory_node(machine, services=wider))
    try:
        with (
            Lease(opened, Holder("c1", "r1", "agent@controller")),
            pytest.raises(ActionFailed, match="this node's policy has no service sshd"),
        ):
            opened.program().launch("step-1", "restart", {"services": ["sshd"], "stop_first": ["sshd"]}, 700)
    finally:
        opened.close()
    (line,) = [line for line in machine.said if "maintainer-node" in line]
    assert line.endswith(f"refused act restart: this node's policy has no service sshd (asked by {USER})")


def test_a_policy_that_was_tampered_with_stops_everything(machine: OwnMachine, preparation: Preparation) -> None:
    """Once others may write to the policy, the node says so and does nothing."""
    set_up(machine, preparation)
    machine.run("chmod", "o+w", "/etc/maintainer/policy.json")
    opened = link(preparation)
    try:
        with pytest.raises(CouldNotLook, match=r"others may write to /etc/maintainer/policy\.json"):
            opened.program().observe("hello", {}, TIME)
    finally:
        opened.close()


def test_other_keys_of_the_account_stay_and_are_told_of(machine: OwnMachine, preparation: Preparation) -> None:
    """The controller's key loses the line that let it do more; a person's own key is neither bound nor lost."""
    set_up(machine, preparation)
    keys = f"/home/{USER}/.ssh/authorized_keys"
    person = "ssh-ed25519 AAAAperson jane"
    machine.run("/bin/sh", "-c", 'printf "%s\n" "$1" "$2" >"$3"', "x", person, preparation.key, keys)
    assert "lets other keys in" in set_up(machine, preparation)
    lines = machine.run("cat", keys).stdout.splitlines()
    assert lines[0] == person
    assert [line.startswith('restrict,from="127.0.0.1",command=') for line in lines[1:]] == [True]
    undo(machine, preparation)
    assert machine.run("cat", keys).stdout.splitlines() == [person]
    assert machine.run("getent", "passwd", USER).returncode == 0


def test_it_is_taken_back_whole(machine: OwnMachine, preparation: Preparation) -> None:
    """After the undoing no file, account or rule of ours is left, and the key opens nothing."""
    set_up(machine, preparation)
    machine.run("mkdir", "-p", "/var/lib/maintainer-node/x")
    assert "is gone" in undo(machine, preparation)
    for place in (
        "/var/lib/maintainer-node",
        "/etc/maintainer",
        "/usr/local/lib/maintainer",
        "/etc/sudoers.d/maintainer",
        f"/home/{USER}",
    ):
        assert machine.run("test", "-e", place).returncode == 1, place
    assert machine.run("getent", "passwd", USER).returncode == 2
    with pytest.raises(NodeUnreachable):
        link(preparation).program()
    undo(machine, preparation)


def test_the_database_role_is_made_measured_and_dropped(
    machine: OwnMachine, zipapp: bytes, database: postgres_server.Postgres
) -> None:
    """The role gets its password from a file, may monitor and maintain, and reads no patient; the undoing drops it."""
    machine.start_sshd()
    secret = machine.folder / "password"
    secret.write_text("""pa'ss "w\\ord""")
    secret.chmod(0o600)
    role = """ro'le"$x"""
    wanted = {"name": "pacs", "user": role, "password": {"file": str(secret)}, "port": database.port}
    node = inventory_node(machine, database=wanted)
    made = make(node, servers.write_key(machine.folder / "client"), zipapp)
    as_postgres(machine, database)
    assert "set the password of the role" in set_up(machine, made, str(secret))
    set_up(machine, made, str(secret))
    opened = link(made)
    try:
        rows = opened.reading().rows(PRIVILEGES, {}, TIME)
    finally:
        opened.close()
    assert rows == [{"role": role, "monitor": True, "maintain": True, "super": False, "patients": False}]
    undo(machine, made)
    assert role not in roles(database)


def test_a_role_that_was_there_is_not_dropped(
    machine: OwnMachine, zipapp: bytes, database: postgres_server.Postgres
) -> None:
    """The undoing takes back only what was made; a superuser is refused at once."""
    as_postgres(machine, database)
    for role, outcome in (("maintainer", 0), ("postgres", 3)):
        node = inventory_node(machine, database={"name": "pacs", "user": role, "port": database.port})
        made = make(node, servers.write_key(machine.folder / "client"), zipapp)
        script = machine.folder / "prepare.sh"
        script.write_text(made.set_up())
        done = machine.run("/bin/sh", str(script))
        assert done.returncode == outcome, done.stdout + done.stderr
        assert outcome == 0 or "this role is a superuser" in done.stderr
        assert "not ours to drop" in undo(machine, made)
        assert role in roles(database)


PRIVILEGES = """
SELECT current_user::text AS role, pg_has_role('pg_monitor', 'USAGE') AS monitor,
       pg_has_role('pg_maintain', 'USAGE') AS maintain, rolsuper AS super,
       has_table_privilege('secret', 'SELECT') AS patients
FROM pg_roles WHERE rolname = current_user
"""


def roles(database: postgres_server.Postgres) -> set[str]:
    return {str(name) for (name,) in database.sql("SELECT rolname FROM pg_roles")}


def as_postgres(machine: OwnMachine, database: postgres_server.Postgres) -> None:
    """Let that machine's `postgres` reach the test's server by the socket and the psql of a packaged one."""
    script = r"""
    getent passwd postgres >/dev/null || useradd --system --no-create-home postgres
    mkdir /run/postgresql
    ln -s "$1/.s.PGSQL.$2" /run/postgresql/
    rm -f /usr/bin/psql
    printf '#!/bin/sh\nPGHOST=/run/postgresql exec %s/psql "$@"\n' "$3" >/usr/bin/psql
    chmod 755 /usr/bin/psql
    chmod 755 "$1"
    """
    words = (str(database.folder), str(database.port), str(postgres_server.TOOLS))
    done = machine.run("/bin/sh", "-ec", script, "x", *words)
    assert done.returncode == 0, done.stderr
