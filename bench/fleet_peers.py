"""pyinfra and ansible-core, asked to find out on each host what the four tasks of the fleet benchmark need.

Each asks the eight questions that ours asks, by its own means and one at a time, as it does: the state of a service,
what its processes hold, which files are due, and by psql on the host whether the database answers, and four queries.
They compare and decide nothing.
"""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.sshd_fleet import PORT, Hosts

PACKAGES = ("ansible-core~=2.19", "pyinfra~=3.10")
STATUS = "true"
PROCESSES = (
    "p=$(cat {pid_file}); ps -o pid,etimes,rss -p $p --ppid $p; grep RssAnon /proc/$p/status; "
    "grep -c deleted /proc/$p/maps; true"
)
FILES = "find {spool} -xdev -type f -name '*.tmp' -mtime +0 -printf '%s %T@\\n'; df -B1 {spool}"


def install(folder: Path) -> Path:
    """Make an environment with the peers where there is none, and give it.

    Raises:
        subprocess.CalledProcessError: pip could not get them.
    """
    if not all((folder / "bin" / name).exists() for name in ("pyinfra", "ansible-playbook")):
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    return folder


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
    commands = [STATUS, PROCESSES.format(pid_file=fleet.pid_file), FILES.format(spool=fleet.spool), *asked]
    (fleet.folder / "deploy.py").write_text(
        "from pyinfra import host\nfrom pyinfra.facts.server import Command\n"
        f"for command in {commands!r}:\n    host.get_fact(Command, command)\n"
    )
    _run([peers / "bin" / "pyinfra", "inv.py", "deploy.py", "--dry", "-y", "--parallel", "50"], fleet)


def ansible(fleet: Hosts, peers: Path, queries: list[str], database: dict[str, Any]) -> None:
    login = f"ansible_port={PORT} ansible_user={fleet.user} ansible_ssh_private_key_file={fleet.key}"
    hosts = "\n".join(f"{address} {login} ansible_python_interpreter=python3" for address in fleet.addresses)
    (fleet.folder / "hosts.ini").write_text(f"[all]\n{hosts}\n")
    looks: list[dict[str, Any]] = [
        {"command": {"argv": [STATUS]}},
        {"shell": PROCESSES.format(pid_file=fleet.pid_file)},
        {"find": {"paths": str(fleet.spool), "patterns": "*.tmp", "age": "1d", "recurse": True}},
    ]
    password = {"PGPASSWORD": database["password"]}
    looks += [{"command": {"argv": argv}, "environment": password} for argv in psql(queries, database)]
    # Without check_mode: false a command would be left out of --check, and nothing be looked at.
    tasks = [{**look, "name": f"look {number}", "check_mode": False} for number, look in enumerate(looks)]
    # JSON is YAML, and "!unsafe" is not needed: no query holds braces.
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
