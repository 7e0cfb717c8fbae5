"""`python -m tests.lab`: two PACS nodes to play with. `up` stays in the foreground until Ctrl-C or `down`."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click

from tests.lab.breakages import FAULTS, plant
from tests.lab.enclosure import CONTROLLER
from tests.lab.image import LabError
from tests.lab.lab import REPOSITORY, Lab
from tests.lab.leftovers import owner

NAME = "person"
_ENDS_WITHIN = 30  # seconds

UP = """
The lab is up. `maintainer` runs on its controller, {controller}:

  pacs-a  {a}  gets our program with each request and runs it as root
  pacs-b  {b}  is prepared: its own program, by its own policy
  each with systemd, sshd, PostgreSQL 15, Orthanc and the same images

  inventory: {inventory}

In another terminal, as root, in this folder:

  alias lab='.venv/bin/python -m tests.lab'
  lab on controller maintainer check         any command on the controller, or a shell
  lab on controller maintainer plan
  lab break pacs-a hung-archive              or another fault, see below
  lab on controller maintainer run
  lab on pacs-a journalctl -u orthanc        any command on a node, or a shell

{faults}

Ctrl-C here, or `make lab-down`, ends it and leaves nothing behind.
"""


@click.group()
def lab() -> None:
    """Two PACS nodes on this machine, booted for real."""


@lab.command()
@click.option("--slices", default=200, show_default=True, help="How many CT slices to load beside pydicom's files.")
@click.option("--size", default=128, show_default=True, help="Pixels of a slice's edge.")
def up(slices: int, size: int) -> None:
    """Boot both nodes, load the same images into them, and stay until Ctrl-C."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    started = Lab.up(NAME)
    try:
        started.load(slices, size=size)
        click.echo(started.controller.inventory.read_text("utf-8"))
        click.echo(_welcome(started))
        signal.pause()
    except KeyboardInterrupt:
        click.echo("ending the lab")
    finally:
        started.down()


def _welcome(started: Lab) -> str:
    a, b = (node.address for node in started.nodes.values())
    faults = click.wrap_text("Faults: " + ", ".join(FAULTS), 78, "", "  ")
    inventory = started.controller.inventory
    return UP.format(controller=CONTROLLER, a=a, b=b, inventory=inventory, faults=faults)


@lab.command()
def down() -> None:
    """End the lab that `up` holds."""
    holder = owner(NAME)
    if holder is None:
        click.echo("no lab is up")
        return
    os.kill(holder, signal.SIGTERM)
    until = time.monotonic() + _ENDS_WITHIN
    while owner(NAME) is not None and time.monotonic() < until:
        time.sleep(0.1)
    click.echo("the lab is gone" if owner(NAME) is None else f"process {holder} still ends it")


@lab.command("break")
@click.argument("node")
@click.argument("fault")
def break_(node: str, fault: str) -> None:
    """Plant a known fault in a node."""
    there = Lab.visit(NAME)
    if node not in there.nodes:
        raise LabError(f"there is no node {node}; there are {', '.join(there.nodes)}")
    click.echo(f"{node}: {fault}: {plant(there.nodes[node], fault)}")


@lab.command(context_settings={"ignore_unknown_options": True})
@click.argument("where")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def on(where: str, command: tuple[str, ...]) -> None:
    """Run a command, or a shell, on `controller` or on a node."""
    there = Lab.visit(NAME)
    argv = command or ("bash",)
    if where == "controller":
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "MAINTAINER_INVENTORY": str(there.controller.inventory)}
        done = subprocess.run(there.room.on_its_network(argv), env=environment, cwd=REPOSITORY, check=False)
    elif where in there.nodes:
        done = subprocess.run(there.nodes[where].argv(*argv), check=False)
    else:
        raise LabError(f"there is no {where}; there are controller, {', '.join(there.nodes)}")
    sys.exit(done.returncode)


if __name__ == "__main__":
    try:
        lab(prog_name="python -m tests.lab")
    except LabError as error:
        sys.exit(f"lab: {error}")
