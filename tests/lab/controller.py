"""The machine that `maintainer` runs on: its inventory and keys, and commands on the lab's network."""

import os
import secrets
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from tests.e2e import driver
from tests.lab.enclosure import Room
from tests.lab.image import LabError, environment
from tests.lab.images import CANARY, canary_digest
from tests.lab.node import LabNode

LONGEST = 300  # seconds for a command; with an outage, a reboot and a link that is given up, 40 on an idle machine
_TEMPLATE = Path(__file__).with_name("inventory.toml")


@dataclass(frozen=True)
class LabController(driver.Controller):
    """`do`, `json`, `start`, `records` and `edit` as for every controller; what it runs can reach the nodes."""

    room: Room
    client_key: Path
    database_password: Path
    started: "list[subprocess.Popen[str]]" = field(default_factory=list)

    def argv(self, *words: str) -> list[str]:
        return self.room.on_its_network(super().argv(*words))

    def do(self, *words: str, env: Mapping[str, str] | None = None) -> driver.Answer:
        return driver.finished(self.start(*words, env=env), LONGEST)

    def start(self, *words: str, env: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
        # Its sockets lie in a folder of the lab, which is swept up also when whoever holds the lab is killed.
        runtime = {"XDG_RUNTIME_DIR": str(self.client_key.parent)}
        self.started.append(super().start(*words, env={**runtime, **(env or {})}))
        return self.started[-1]

    def end_all(self) -> None:
        """Kill the commands that somebody started and did not see to their end."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.communicate()
        self.started.clear()

    def here(self, *words: str) -> driver.Answer:
        with self.room.network():
            return super().here(*words)

    def set_up(self) -> None:
        """Make its folder, its key and its password for the databases."""
        self.inventory.parent.mkdir(mode=0o700)
        _make_key(self.client_key)
        with os.fdopen(os.open(self.database_password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{secrets.token_hex(16)}\n")

    def admit_to(self, node: LabNode) -> str:
        """Give a node its own host key and let this controller in; answers the line that pins it."""
        key = self.client_key.with_name(f"{node.name}_host_key")
        _make_key(key)
        node.write("/etc/ssh/ssh_host_ed25519_key", key.read_text().rstrip("\n"), mode=0o600)
        key.unlink()
        public = self.client_key.with_suffix(".pub").read_text().strip()
        node.write("/home/maintainer/.ssh/authorized_keys", public, owner="maintainer:")
        return self._pin_of(node)

    def _pin_of(self, node: LabNode) -> str:
        public = self.client_key.with_name(f"{node.name}_host_key.pub")
        return " ".join(public.read_text().split()[:2])

    def let_into_database_of(self, node: LabNode) -> None:
        """Set the password of the role that this controller logs in as."""
        password = self.database_password.read_text().strip()
        node.sql("ALTER ROLE maintainer PASSWORD :'password';", database="postgres", password=password)

    def prepare(self, node: LabNode) -> None:
        """Let a node run its own program by its own policy, by exactly what `maintainer node prepare` prints."""
        printed = self.do("node", "prepare", node.name)
        if printed.code != 0:
            raise LabError(f"{node.name} cannot be prepared: {printed.stderr}")
        node.write("/root/prepare.sh", printed.stdout)
        node.write("/root/password", self.database_password.read_text().strip(), mode=0o600)
        node.run("sh", "/root/prepare.sh", "/root/password")
        pin = f'host_key = "{self._pin_of(node)}", sudo = true'
        self.edit(pin, f"{pin}, prepared = true")

    def write_inventory(self, nodes: dict[str, LabNode], host_keys: dict[str, str]) -> None:
        values = {"controller": str(self.inventory.parent), "canary": CANARY, "canary_digest": canary_digest()}
        for name, node in nodes.items():
            word = name.replace("-", "_")
            values |= {f"{word}_address": node.address, f"{word}_key": host_keys[name]}
        self.inventory.write_text(Template(_TEMPLATE.read_text("utf-8")).substitute(values), "utf-8")


def controller_in(folder: Path, room: Room) -> LabController:
    return LabController(
        inventory=folder / "inventory.toml",
        state=folder / "state",
        room=room,
        client_key=folder / "client_key",
        database_password=folder / "database_password",
    )


def _make_key(file: Path) -> None:
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", file.name, "-f", str(file)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, env=environment())
