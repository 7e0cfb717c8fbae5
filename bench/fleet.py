"""A dry run over many nodes, against bare paramiko threads, pyinfra and ansible-core on the same sshd hosts.

    python -m bench.fleet [HOSTS] [ENVIRONMENT-WITH-PEERS]

Each is a command started from cold that looks at what four tasks need on each host: the state of its service, what the
service's processes hold, what lies in a folder to be cleaned, whether the database answers, and the tasks' queries.
Ours and the bare threads (`fleet_bare.py`) ask in one request and through a tunnel, the peers as `fleet_peers.py` says.
Rounds alternate, and the best of each counts. Hosts and peers share this machine's processors, so that what a host
spends counts as well.

ENVIRONMENT-WITH-PEERS is `.venv-peers`, where `make bench` installs them, if none is given. Root runs all of it in
namespaces of its own for network, processes and mounts, in which nothing can be left behind.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from bench.fleet_bare import Job
from bench.fleet_peers import STATUS, ansible, pyinfra
from bench.sshd_fleet import PORT, Hosts, hosts
from bench.table import Row, not_measured, table, times_faster, times_of_peer, within
from maintainer.app.installed import load, register
from maintainer.links.node_bundle import bundle
from maintainer.links.node_program import BOOTSTRAP, zipapp_bytes
from maintainer.model.task import SqlQuery
from maintainer.planning.policy import policy_of
from maintainer.practice.layout import Ports
from maintainer.practice.pacs import PracticePacs

PEERS = Path(__file__).parent.parent / ".venv-peers"
HOSTS = 50
MANY = 500
ROUNDS = 3
LONGEST = 900
"""Seconds after which all of it ends by itself."""
TASKS = ("service-restart", "db-vacuum", "db-reindex", "disk-cleanup")
PROGRAMS = ("services", "processes", "cleanup")
# Of ten that wait for their login each further one is refused: fewer than fifty threads open at once.
FEW_STARTUPS = "10:100:10"

Measure = Callable[[], object]


def rows(count: int = HOSTS, peers: Path | None = None) -> Iterator[Row]:
    """Measure in a process of its own, which is ended with all that it started."""
    peers = peers or PEERS
    why = "" if (peers / "bin" / "ansible-playbook").exists() else "they are not installed"
    enclosure = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"] if os.geteuid() == 0 else []
    command = [*enclosure, sys.executable, "-m", "bench.fleet", "--inside", str(count), "" if why else str(peers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield from (Row(*json.loads(line)) for line in process.stdout or ())
        finally:
            process.terminate()
    if process.returncode:
        yield not_measured("fleet", f"failed: {process.returncode}")
    if why:
        yield not_measured("pyinfra and ansible", why)


def inside(count: int, peers: Path | None) -> None:
    """Measure here, and print each row as JSON."""
    signal.signal(signal.SIGALRM, _too_long)  # the first process of a namespace has no default for it
    signal.alarm(LONGEST)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a program that is installed has been compiled
    if os.geteuid() == 0:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=True)
        tempfile.tempdir = "/mnt"  # it goes with the namespace, however that ends
    with tempfile.TemporaryDirectory(prefix="fleet-pacs-") as name:
        pacs = PracticePacs(Path(name) / "pacs", Ports(ssh=21023, database=21024, dicom=21025))
        try:
            _start(pacs)
            for row in _rows(count, peers, pacs):
                print(json.dumps(row), flush=True)
        finally:
            pacs.down(wipe=True)


def _too_long(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(f"not done in {LONGEST} s")


def _start(pacs: PracticePacs) -> None:
    """Let its database take what the hosts share here; each node of a real fleet has its own."""
    pacs.up()
    pacs.down()
    with (pacs.layout.database / "postgresql.conf").open("a") as settings:
        settings.write("max_connections = 200\n")
    pacs.up()


def _rows(count: int, peers: Path | None, pacs: PracticePacs) -> Iterator[Row]:
    with hosts(count) as fleet:
        yield from _beside_peers(fleet, peers, pacs)
    with hosts(MANY) as fleet:
        first, many = inventory(fleet, pacs, fleet.addresses[:HOSTS]), inventory(fleet, pacs, fleet.addresses)
        few_took = min(_seconds(lambda: ours(first)) for _ in range(2))
        many_took = _seconds(lambda: ours(many))
        megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
        yield times_of_peer(f"dry run, {MANY} hosts", many_took, f"{HOSTS} hosts", few_took, at_most=12)
    yield within(f"controller's memory, {MANY} hosts", megabytes, "MB", at_most=300)
    with hosts(HOSTS, FEW_STARTUPS) as fleet:
        given_up = unseen(inventory(fleet, pacs, fleet.addresses))
        yield within(f"refused for good, {HOSTS} callers of one sshd that takes 10", given_up, "nodes", at_most=0)


def _beside_peers(fleet: Hosts, peers: Path | None, pacs: PracticePacs) -> Iterator[Row]:
    path, name = inventory(fleet, pacs, fleet.addresses), f"dry run, {len(fleet.addresses)} hosts"
    database = {"port": pacs.ports.database, "dbname": "pacs", "user": "maintainer", "password": _password(pacs)}
    queries = ["SELECT 1", *(text % parameters if parameters else text for text, parameters in asked(path))]
    bare = json.dumps(job(path, fleet, database)).encode()
    measures: dict[str, Measure] = {"ours": lambda: ours(path), "paramiko threads": lambda: _bare(bare)}
    if peers:
        measures["pyinfra"] = lambda: pyinfra(fleet, peers, queries, database)
        measures["ansible"] = lambda: ansible(fleet, peers, queries, database)
    took = best(measures)
    yield times_of_peer(name, took["ours"], "paramiko threads", took["paramiko threads"], at_most=1.5)
    if peers:
        yield times_faster(name, took["ours"], "pyinfra", took["pyinfra"], at_least=2)
        yield times_faster(name, took["ours"], "ansible", took["ansible"], at_least=20)


def best(measures: dict[str, Measure]) -> dict[str, float]:
    """Let them alternate, and give the shortest time of each."""
    rounds = [{name: _seconds(measure) for name, measure in measures.items()} for _ in range(ROUNDS)]
    for took in rounds:
        print({name: round(seconds, 2) for name, seconds in took.items()}, os.getloadavg(), file=sys.stderr)
    return {name: min(took[name] for took in rounds) for name in measures}


def _seconds(measure: Measure) -> float:
    begun = time.perf_counter()
    measure()
    return time.perf_counter() - begun


def ours(path: Path) -> None:
    if unseen(path):
        raise SystemExit("a node could not be looked at")


def unseen(path: Path) -> int:
    """Plan, and give the number of nodes that could not be looked at."""
    command = [sys.executable, "-m", "maintainer", "-i", str(path), "plan", "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    entries = json.loads(done.stdout)["entries"]
    for why in {entry["answer"]["because"] for entry in entries if entry["answer"]["kind"] == "unseen"}:
        print(why, file=sys.stderr)
    return len({entry["node"] for entry in entries if entry["answer"]["kind"] == "unseen"})


def _bare(job: bytes) -> None:
    subprocess.run([sys.executable, "-m", "bench.fleet_bare"], input=job, check=True)


def job(path: Path, fleet: Hosts, database: dict[str, Any]) -> Job:
    """What the bare threads send: the bytes and queries that ours sends."""
    node = next(iter(load(path).inventory.nodes.values()))
    program = bundle(zipapp_bytes([files("tasks.node")]), PROGRAMS)
    questions = [{"program": name, "request": {}} for name in PROGRAMS]
    envelope = {"format": "maintainer.node/2", "verb": "observe", "deadline_seconds": 60, "policy": policy_of(node, ())}
    request = b"%d\n" % len(program) + program + json.dumps({**envelope, "questions": questions}).encode()
    return {
        "addresses": list(fleet.addresses),
        "port": PORT,
        "user": fleet.user,
        "key": str(fleet.key),
        "host_key": fleet.host_key,
        "command": BOOTSTRAP,
        "request": request.decode("latin-1"),
        "database": database,
        "queries": asked(path),
    }


def asked(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Give the queries that the tasks ask of a node's database, with their parameters, each once."""
    loaded, tasks = load(path), register()
    name, node = next(iter(loaded.inventory.nodes.items()))
    mine = [tasks[one.task].observe(node, one.params) for one in loaded.assignments if one.node == name]
    queries = [query for questions in mine for query in questions.values() if isinstance(query, SqlQuery)]
    return [(query.text, query.parameters) for number, query in enumerate(queries) if query not in queries[:number]]


def inventory(fleet: Hosts, pacs: PracticePacs, addresses: tuple[str, ...]) -> Path:
    """Write an inventory of these addresses, all with the one database, and give its path."""
    # An inventory has its greatest length, and links are shorter.
    (fleet.folder / "p").unlink(missing_ok=True)
    (fleet.folder / "p").symlink_to(pacs.layout.folder / "database_password")
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
    tasks = "".join(f'[tasks.{name}]\nwindow = "w"\n' for name in TASKS)
    nodes = "".join(
        f"""
[nodes.n{number}]
address = "{address}"
ssh = {{ user="{fleet.user}", port={PORT}, host_key="{fleet.host_key}", key={{ file="{fleet.key}" }} }}
services.archive = {{ start=["true"], stop=["true"], status=["{STATUS}"], pid_file="{fleet.pid_file}" }}
database = {{ name="pacs", user="maintainer", password={{ file="{fleet.folder}/p" }}, port={pacs.ports.database} }}
cleanup.spool = {{ path="{fleet.spool}", patterns=["*.tmp"], older_than="1d" }}
"""
        for number, address in enumerate(addresses)
    )
    path = fleet.folder / f"inventory-{len(addresses)}.toml"
    path.write_text(head + tasks + nodes)
    return path


def _password(pacs: PracticePacs) -> str:
    return (pacs.layout.folder / "database_password").read_text().strip()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--inside", count_, peers_]:
            inside(int(count_), Path(peers_) if peers_ else None)
        case [*words]:
            measured = rows(int(words[0]) if words else HOSTS, Path(words[1]) if words[1:] else None)
            print(table((row, os.getloadavg()[0]) for row in measured))
