"""The nodes of an inventory as the engine sees them: an observer for a dry run, an observer and an actor for a run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from maintainer.archives.register import product
from maintainer.links.lease import Holder, Lease, Released, release_by_person
from maintainer.links.node_actor import NodeActor
from maintainer.links.node_link import NodeLink
from maintainer.links.node_observer import History, NodeObserver
from maintainer.model.inventory import Inventory
from maintainer.planning.policy import policy_of


class Fleet:
    """Opens links to nodes by name, and can cut all of them."""

    def __init__(
        self,
        inventory: Inventory,
        run_id: str,
        zipapp: bytes,
        history: History,
        holder: Holder | None = None,
        *,
        stop_asked: Callable[[], bool] = lambda: False,
    ) -> None:
        self._inventory, self._run_id, self._zipapp, self._history = inventory, run_id, zipapp, history
        self._holder, self._stop_asked = holder, stop_asked
        self._open: set[NodeLink] = set()

    @contextmanager
    def look(self, name: str) -> Iterator[NodeObserver]:
        with self._link(name) as link:
            yield NodeObserver(link, self._history)

    @contextmanager
    def work(self, name: str) -> Iterator[tuple[NodeObserver, NodeActor]]:
        """Hold the node's lease for as long as the context lasts.

        Raises:
            NodeHeld: another controller holds it.
            ActionFailed: the node cannot keep a lease.
            CouldNotLook: the node did not answer.
            LogError: the node was shown a log that this one does not go on from.
        """
        if self._holder is None:
            raise ValueError("a fleet without a holder only looks")
        with self._link(name) as link, Lease(link, self._holder) as lease:
            observer = NodeObserver(link, self._history)
            yield observer, NodeActor(link, observer, lease)

    def release_by_person(self, name: str, holder: Holder, why: str, *, cancel: bool, accept_log: bool) -> Released:
        """Take a node's lease from whoever has it, as a person decided; see `links.lease.release_by_person`."""
        with self._link(name) as link:
            return release_by_person(link, holder, why, cancel=cancel, accept_log=accept_log)

    def cut(self) -> None:
        """Cut every link that is open; whoever waits for an answer is told that it was lost."""
        for link in tuple(self._open):
            link.cut()

    @contextmanager
    def _link(self, name: str) -> Iterator[NodeLink]:
        node = self._inventory.nodes[name]
        not_objects = product(node.store.archive).not_objects if node.store else ()
        link = NodeLink(
            name,
            node,
            run_id=self._run_id,
            zipapp=self._zipapp,
            policy=policy_of(node, not_objects),
            stop_asked=self._stop_asked,
        )
        self._open.add(link)
        try:
            yield link
        finally:
            self._open.discard(link)
            link.close()
