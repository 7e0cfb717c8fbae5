"""Two PACS nodes and the controller that looks after them, for as long as a test or a person needs them."""

import atexit
import contextlib
import secrets
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

from tests.lab.controller import LabController, controller_in
from tests.lab.enclosure import Enclosure, Room
from tests.lab.image import LabError, NoLabError, image, why_not
from tests.lab.leftovers import claim, folder_of, owner, sweep
from tests.lab.node import LabNode

REPOSITORY = Path(__file__).parents[2]
ADDRESSES = {"pacs-a": "10.20.0.11", "pacs-b": "10.20.0.12"}
_ROOM = "room"  # file that names the first process


class Lab:
    """`nodes` by name, and the `controller`. Nothing of it is left after `down`, nor when this process is killed.

    The nodes' addresses exist on the lab's own network only: whoever calls them is a command of the controller, or
    does it inside `network()`.
    """

    def __init__(self, folder: Path, room: Room) -> None:
        self.folder, self.room = folder, room
        self.controller: LabController = controller_in(folder / "controller", room)
        self.nodes = {
            name: LabNode(name, address, room, folder / name, f"{folder.name}-{name}")
            for name, address in ADDRESSES.items()
        }
        self._held = contextlib.ExitStack()

    @classmethod
    def up(cls, name: str | None = None, *, prepared: Sequence[str] = ("pacs-b",)) -> Self:
        """Boot both nodes side by side and wait until they serve the canary study.

        There may be many labs, each under its own name. What is `prepared` runs its own program by its own policy; the
        others get the program with each request and run it as root.

        Raises:
            NoLabError: there can be no lab here.
            LabError: one of that name is up, or a node does not boot.
        """
        if why := why_not():
            raise NoLabError(why)
        sweep()
        with contextlib.ExitStack() as held:
            folder = held.enter_context(claim(name or secrets.token_hex(4)))
            root = held.enter_context(image())
            room = held.enter_context(contextlib.closing(Enclosure()))
            (folder / _ROOM).write_text(str(room.pid))
            lab = cls(folder, room)
            lab._boot(root)
            for each in prepared:
                lab.controller.prepare(lab.nodes[each])
            lab._held = held.pop_all()
        atexit.register(lab.down)
        return lab

    @classmethod
    def visit(cls, name: str) -> Self:
        """Work with a lab that another process holds. Only that one can end it, or switch its nodes on and off.

        Raises:
            LabError: no lab of that name is up.
        """
        folder = folder_of(name)
        if owner(name) is None or not (folder / _ROOM).exists():
            raise LabError(f"no lab called {name} is up")
        return cls(folder, Room(int((folder / _ROOM).read_text())))

    def down(self) -> None:
        """End everything; comes back when nothing is left. May be called twice."""
        atexit.unregister(self.down)
        self._held.close()

    def load(self, slices: int = 200, *, size: int = 128) -> int:
        """Send the same images to every node, by C-STORE; answers how many each of them took.

        A slice has `size` x `size` pixels of two bytes: 128 makes 39 kB, 512 makes the 526 kB of a real CT.
        """
        taken: list[int] = []
        self.on_all(lambda node: taken.append(self._send_to(node, slices, size)))
        if len(set(taken)) != 1:
            raise LabError(f"the nodes took different numbers of images: {taken}")
        # As autovacuum would within a minute: an archive that has just been filled is no sound one to begin with.
        self.on_all(lambda node: node.sql("VACUUM (ANALYZE);"))
        return taken[0]

    def network(self) -> contextlib.AbstractContextManager[None]:
        """Let this thread, and those that it starts meanwhile, reach the nodes."""
        return self.room.network()

    def on_all(self, do: Callable[[LabNode], object]) -> None:
        """Do something to every node, side by side."""
        with ThreadPoolExecutor(len(self.nodes)) as pool:
            list(pool.map(do, self.nodes.values()))

    def _send_to(self, node: LabNode, slices: int, size: int) -> int:
        argv = [sys.executable, "-m", "tests.lab.images", node.address, str(slices), str(size)]
        done = subprocess.run(
            self.room.on_its_network(argv), cwd=REPOSITORY, capture_output=True, stdin=subprocess.DEVNULL, check=False
        )
        if done.returncode != 0:
            raise LabError(f"{node.name} could not be loaded: {done.stderr.decode()[-500:]}")
        return int(done.stdout)

    def _boot(self, root: Path) -> None:
        self.controller.set_up()
        for node in self.nodes.values():
            _build(node, root)
        pinned = {name: self.controller.admit_to(node) for name, node in self.nodes.items()}
        self.controller.write_inventory(self.nodes, pinned)
        self.on_all(self._start)

    def _start(self, node: LabNode) -> None:
        node.power_on()
        node.wait_until_it_serves()
        self.controller.let_into_database_of(node)
        self._send_to(node, 0, 0)


def _build(node: LabNode, root: Path) -> None:
    try:
        node.build(root)
    except (LabError, OSError) as error:
        raise NoLabError(f"no machine can be built here: {error}") from error
