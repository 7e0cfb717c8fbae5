"""A dry run over many nodes, against bare paramiko threads, pyinfra and ansible-core on the same sshd hosts.

    python bench/fleet.py [HOSTS] [ENVIRONMENT-WITH-PEERS]

Ours looks at what four tasks need on each node: services, cleanup roots, and through an SSH tunnel five queries in one
shared PostgreSQL. The bare threads send the very same bytes and queries and decide nothing. The peers run four trivial
commands a host (`true`), which is less. They are measured where they are: `pip install ansible-core pyinfra`.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import Any

import paramiko
import psycopg
from sshd_fleet import PORT, Hosts, hosts

from maintainer.app import load
from maintainer.links.node_program import BOOTSTRAP, zipapp_bytes
from maintainer.planning.database import SERVER
from maintainer.planning.policy import policy_of
from maintainer.practice.layout import Ports
from maintainer.practice.pacs import PracticePacs
from tasks.db_reindex import DENSITY, INDEXES
from tasks.db_vacuum import TABLES

ROUNDS = 3
TARGETS = {"paramiko": ("at most", 1.5), "pyinfra": ("at least", 2.0), "ansible": ("at least", 20.0)}
LIMITS = {"smallest": 1_000_000, "measure_up_to": 2_000_000_000}
QUERIES = ((TABLES, LIMITS), (SERVER.text, {}), (INDEXES, LIMITS), (DENSITY, LIMITS), (SERVER.text, {}))


def inventory(fleet: Hosts, pacs: PracticePacs) -> str:
    spool, password = fleet.folder / "spool", pacs.layout.folder / "database_password"
    spool.mkdir(exist_ok=True)
    nodes = "".join(
        f"""
[nodes.n{number}]
address = "{address}"
ssh = {{ user = "{fleet.user}", port = {PORT}, host_key = "{fleet.host_key}", key = {{ file = "{fleet.key}" }} }}
services.archive = {{ start = ["true"], stop = ["true"], status = ["true"], pid_file = "{fleet.folder}/pid-{number}" }}
database = {{ name = "pacs", user = "maintainer", password = {{ file = "{password}" }}, port = {pacs.ports.database} }}
cleanup.spool = {{ path = "{spool}", patterns = ["*.tmp"], older_than = "1d" }}
"""
        for number, address in enumerate(fleet.addresses)
    )
    tasks = "".join(
        f'[tasks.{name}]\nwindow = "w"\n' for name in ("service-restart", "db-vacuum", "db-reindex", "disk-cleanup")
    )
    head = f"""[site]
name = "bench"
timezone = "UTC"
[controller]
state = "{fleet.folder}/state"
parallel = 50
[windows.w]
opens = "00:00"
closes = "00:00"
"""
    return head + tasks + nodes


def ours(path: Path) -> None:
    command = [sys.executable, "-m", "maintainer", "-i", str(path), "plan", "--json"]
    done = subprocess.run(command, capture_output=True, check=False)
    answers = [entry["answer"]["kind"] for entry in json.loads(done.stdout)["entries"]]
    if "unseen" in answers:
        raise SystemExit(done.stdout.decode())


def bare(fleet: Hosts, requests: list[bytes], conninfo: dict[str, Any]) -> None:
    """A process of its own would pay the imports that ours pays, so they are paid here as well: see `main`."""
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(lambda address: _bare_host(address, fleet, requests, conninfo), fleet.addresses))


def _bare_host(address: str, fleet: Hosts, requests: list[bytes], conninfo: dict[str, Any]) -> None:
    connection = socket.create_connection((address, PORT))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    transport = paramiko.Transport(connection)
    transport.start_client()
    transport.auth_publickey(fleet.user, paramiko.Ed25519Key.from_private_key_file(str(fleet.key)))
    for request in requests:
        session = transport.open_session()
        session.exec_command(BOOTSTRAP)
        session.sendall(request)
        session.shutdown_write()
        while session.recv(65536):
            pass
        session.recv_exit_status()
    _bare_queries(transport, conninfo)
    transport.close()


def _bare_queries(transport: paramiko.Transport, conninfo: dict[str, Any]) -> None:
    door = socket.create_server(("127.0.0.1", 0))

    def carry() -> None:
        inner, _ = door.accept()
        inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        channel = transport.open_channel("direct-tcpip", ("127.0.0.1", conninfo["port"]), ("127.0.0.1", 0))
        back = threading.Thread(target=_copy, args=(channel.recv, inner.sendall), daemon=True)
        back.start()
        _copy(inner.recv, channel.sendall)
        channel.close()

    threading.Thread(target=carry, daemon=True).start()
    here = {**conninfo, "host": "127.0.0.1", "port": door.getsockname()[1]}
    with psycopg.connect(**here, autocommit=True) as connection:
        for text, parameters in QUERIES:
            connection.execute(text, parameters).fetchall()
    door.close()


def _copy(receive: Callable[[int], bytes], send: Callable[[bytes], Any]) -> None:
    with contextlib.suppress(OSError):  # the other side was closed first
        while data := receive(65536):
            send(data)


def requests(path: Path) -> list[bytes]:
    """The bytes that ours sends to a node, so that both send the same."""
    node = next(iter(load(path).inventory.nodes.values()))
    program = zipapp_bytes([files("tasks.node")])
    envelope = {"format": "maintainer.node/1", "verb": "observe", "deadline_seconds": 60, "policy": policy_of(node, ())}
    texts = (json.dumps({**envelope, "program": name, "request": {}}).encode() for name in ("services", "cleanup"))
    return [b"%d\n" % len(program) + program + text for text in texts]


def pyinfra(fleet: Hosts, peers: Path) -> None:
    login = {"ssh_port": PORT, "ssh_user": fleet.user, "ssh_key": str(fleet.key)}
    login |= {"ssh_strict_host_key_checking": "off", "ssh_known_hosts_file": "/dev/null"}
    (fleet.folder / "inv.py").write_text(f"hosts = {[(address, login) for address in fleet.addresses]!r}\n")
    (fleet.folder / "deploy.py").write_text(
        "from pyinfra import host\nfrom pyinfra.facts.server import Command\n"
        "for number in range(4):\n    host.get_fact(Command, f'true {number}')\n"
    )
    options = ["--dry", "-y", "--parallel", "50"]
    command = [peers / "bin" / "pyinfra", fleet.folder / "inv.py", fleet.folder / "deploy.py", *options]
    _quiet(command, fleet)


def ansible(fleet: Hosts, peers: Path) -> None:
    login = f"ansible_port={PORT} ansible_user={fleet.user} ansible_ssh_private_key_file={fleet.key}"
    common = f"{login} ansible_python_interpreter=python3"
    lines = "\n".join(f"{address} {common}" for address in fleet.addresses)
    (fleet.folder / "hosts.ini").write_text(f"[all]\n{lines}\n")
    tasks = "".join(f"    - command: 'true'\n      check_mode: false\n      name: look {n}\n" for n in range(4))
    (fleet.folder / "play.yml").write_text(f"- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}")
    options = ["-i", fleet.folder / "hosts.ini", fleet.folder / "play.yml", "--check", "-f", "50"]
    command = [peers / "bin" / "ansible-playbook", *options]
    _quiet(
        command,
        fleet,
        ANSIBLE_PIPELINING="1",
        ANSIBLE_HOST_KEY_CHECKING="0",
        ANSIBLE_LOCAL_TEMP=str(fleet.folder / "a"),
    )


def _quiet(command: list[Any], fleet: Hosts, **environment: str) -> None:
    done = subprocess.run(
        command, capture_output=True, check=False, cwd=fleet.folder, env={**os.environ, **environment}
    )
    if done.returncode:
        raise SystemExit((done.stdout + done.stderr).decode()[-3000:])


def best(measure: Callable[[], None], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        measure()
        times.append(time.perf_counter() - begun)
    return min(times)


def main(count: int, peers: Path | None) -> None:
    with tempfile.TemporaryDirectory(prefix="fleet-pacs-") as name, hosts(count) as fleet:
        pacs = PracticePacs(Path(name) / "pacs", Ports(ssh=21023, database=21024, dicom=21025))
        pacs.up()
        try:
            _compare(fleet, pacs, peers)
        finally:
            pacs.down(wipe=True)


def _compare(fleet: Hosts, pacs: PracticePacs, peers: Path | None) -> None:
    path = fleet.folder / "inventory.toml"
    path.write_text(inventory(fleet, pacs))
    for number in range(len(fleet.addresses)):
        (fleet.folder / f"pid-{number}").write_text(f"{os.getpid()}\n")
    sent = requests(path)
    password = (pacs.layout.folder / "database_password").read_text().strip()
    conninfo = {"port": pacs.ports.database, "dbname": "pacs", "user": "maintainer", "password": password}
    bare(fleet, sent, conninfo)
    times = {"ours": best(lambda: ours(path), ROUNDS), "paramiko": best(lambda: bare(fleet, sent, conninfo), ROUNDS)}
    if peers and (peers / "bin" / "pyinfra").exists():
        times["pyinfra"] = best(lambda: pyinfra(fleet, peers), ROUNDS)
    if peers and (peers / "bin" / "ansible-playbook").exists():
        times["ansible"] = best(lambda: ansible(fleet, peers), 1)
    print(f"dry run over {len(fleet.addresses)} hosts: {times['ours']:.2f} s, start of the program included")
    for peer, (bound, target) in TARGETS.items():
        if peer in times:
            ratio = times["ours"] / times[peer] if bound == "at most" else times[peer] / times["ours"]
            print(f"  {peer:10} {times[peer]:6.2f} s   ratio {ratio:5.2f}   ({bound} {target})")


if __name__ == "__main__":
    count, peers = [*sys.argv[1:3], *(50, None)[len(sys.argv) - 1 :]]
    main(int(count or 50), Path(peers) if peers else None)
