"""pyinfra and ansible-core, made to find out on each host what the four tasks of the fleet benchmark need.

Each asks by its own means and in its own way, one command or module a fact: the state of a service; its processes,
their memory and the deleted files that they have mapped; files that are due, quarantined ones, the room that is left;
whether the database answers, and the tasks' queries, by psql on the host. They compare and decide nothing.
"""

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

from bench.sshd_fleet import PORT, Hosts

STATUS = "true"
QUARANTINE = ".maintainer-quarantine"


def looks(fleet: Hosts) -> dict[str, str]:
    """Give the commands that look at service, processes and disk, by what they find out."""
    family = f"p=$(cat {fleet.pid_file}); for p in $p $(cat /proc/$p/task/$p/children); do"
    return {
        "state": STATUS,
        "processes": f"p=$(cat {fleet.pid_file}); ps -o pid,etimes -p $p --ppid $p",
        "memory": f"{family} grep -E '^(RssAnon|VmSwap)' /proc/$p/status; done",
        "deleted": f"{family} grep -c '(deleted)' /proc/$p/maps; done; true",
        "due": f"find {fleet.spool} -xdev -type f -name '*.tmp' -mtime +0 -printf '%s %T@\\n'",
        "quarantine": f"find {fleet.spool}/{QUARANTINE} -type f -printf '%s\\n' || true",
        "room": f"df -B1 {fleet.spool}",
    }


def psql(queries: list[str], database: dict[str, Any]) -> list[list[str]]:
    """Give the command lines that ask the database from the host itself."""
    # Not Debian's wrapper in /usr/bin, which starts Perl first.
    newest = max(Path("/usr/lib/postgresql").glob("*/bin/psql"), default=Path("psql"))
    where = ["-h", "127.0.0.1", "-p", str(database["port"]), "-U", database["user"], "-d", database["dbname"]]
    return [[str(newest), "-XqAt", *where, "-c", query] for query in queries]


def pyinfra(fleet: Hosts, peers: Path, queries: list[str], database: dict[str, Any]) -> None:
    login = {"ssh_port": PORT, "ssh_user": fleet.user, "ssh_key": str(fleet.key)}
    login |= {"ssh_strict_host_key_checking": "off", "ssh_known_hosts_file": "/dev/null"}
    (fleet.folder / "inv.py").write_text(f"hosts = {[(address, login) for address in fleet.addresses]!r}\n")
    asked = [f"PGPASSWORD={shlex.quote(database['password'])} {shlex.join(line)}" for line in psql(queries, database)]
    commands = [*looks(fleet).values(), *asked]
    (fleet.folder / "deploy.py").write_text(
        "from pyinfra import host\nfrom pyinfra.facts.server import Command\n"
        f"for command in {commands!r}:\n    host.get_fact(Command, command)\n"
    )
    _run([peers / "bin" / "pyinfra", "inv.py", "deploy.py", "--dry", "-y", "--parallel", "50"], fleet)


def ansible(fleet: Hosts, peers: Path, queries: list[str], database: dict[str, Any]) -> None:
    login = f"ansible_port={PORT} ansible_user={fleet.user} ansible_ssh_private_key_file={fleet.key}"
    hosts = "\n".join(f"{address} {login} ansible_python_interpreter=python3" for address in fleet.addresses)
    (fleet.folder / "hosts.ini").write_text(f"[all]\n{hosts}\n")
    find = {
        "due": {"paths": str(fleet.spool), "patterns": "*.tmp", "age": "1d", "recurse": True},
        "quarantine": {"paths": f"{fleet.spool}/{QUARANTINE}", "recurse": True},
    }
    asked: list[dict[str, Any]] = [
        {"find": find[what]} if what in find else {"shell": command} for what, command in looks(fleet).items()
    ]
    password = {"PGPASSWORD": database["password"]}
    asked += [{"command": {"argv": argv}, "environment": password} for argv in psql(queries, database)]
    # Without check_mode: false a command would be left out of --check, and nothing be looked at.
    tasks = [{**look, "name": f"look {number}", "check_mode": False} for number, look in enumerate(asked)]
    # JSON is YAML, and no query holds the braces of a template.
    (fleet.folder / "play.yml").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    options = ["-i", "hosts.ini", "play.yml", "--check", "--forks", "50"]
    settings = {"PIPELINING": "1", "HOST_KEY_CHECKING": "0", "HOME": str(fleet.folder / "ansible")}
    environment = {f"ANSIBLE_{name}": value for name, value in settings.items()}
    _run([peers / "bin" / "ansible-playbook", *options], fleet, **environment)


def _run(command: list[Any], fleet: Hosts, **environment: str) -> None:
    done = subprocess.run(
        command, capture_output=True, check=False, cwd=fleet.folder, env={**os.environ, **environment}
    )
    if done.returncode:
        raise SystemExit((done.stdout + done.stderr).decode()[-3000:])
