"""Nights of a ledger over a dcm4chee store: two tables of an index are one order of keys."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from maintainer.archives import ArchiveProduct, product_of
from maintainer.links.node_program import NodeProgram
from maintainer.links.store_ledger import seen, verify
from maintainer.model.action import VerifyStore
from maintainer.model.inventory import Node
from tests.contract.archives.dcm4chee import ON_NODE, TO_DELETE, image, put_metadata, store, write
from tests.contract.archives.index import Index
from tests.contract.node.own_node import OwnNode, hold

MINUTE = timedelta(minutes=1)


@dataclass
class Link:
    """The node and its index without an SSH server between: what a night needs of a link and of an observer."""

    own: OwnNode
    index: Index
    name = "pacs-a"
    node = Node.model_validate({"address": "a", "ssh": {"user": "m"}})
    is_cut = False

    def program(self) -> NodeProgram:
        return self.own.program()

    def stop_asked(self) -> bool:
        return False

    def close(self) -> None:
        """There is no connection."""

    @property
    def archive(self) -> ArchiveProduct:
        return product_of(ON_NODE)

    def rows(self, text: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        return self.index.ask(text, **parameters)

    def ask(self, program: str, request: dict[str, Any]) -> Any:
        return self.own.observe(program, **request)


def night(link: Any, day: int, **otherwise: Any) -> tuple[dict[str, Any], Any]:
    """Do a night's work; answers what it tells, and what the ledger says then."""
    action = VerifyStore(
        night=f"2026-11-{day}T22:00:00Z",
        quota=10**9,
        rate=None,
        threads=1,
        pause_above=10**9,
        grace=timedelta(0),
        lost_share=0.5,
    ).model_copy(update=otherwise)
    told = verify(link, link, action, f"step-{day}", MINUTE)
    return told, seen(link.archive, link.rows, link.ask)


def deviations(answer: Any) -> set[tuple[str, str]]:
    return {(one["path"], one["verdict"]) for one in answer["ledger"]["deviations"]}


def test_nights_tell_what_became_of_a_store_of_several_storages(node: OwnNode, dcm4chee: Index) -> None:
    """New metadata has keys between those that are known; what the archive removes is no loss."""
    hold(node.state)
    link = Link(node, dcm4chee)
    paths = [store(node, dcm4chee, pk, "fs1" if pk % 2 else "fs2") for pk in range(1, 9)]
    told, answer = night(link, 24)
    assert (told["new"], told["objects"], deviations(answer)) == (8, 8, set())
    assert answer["ledger"]["verified"] == {"archive": 8, "baseline": 0, "baselined": 0}

    write(node, "metadata/2026/1", b"{}")
    put_metadata(dcm4chee, 1, storage_path="2026/1", object_size=2, digest=None)
    dcm4chee.connection.execute("UPDATE location SET status = %s WHERE pk = 4", [TO_DELETE])
    (node.store / paths[3]).unlink()
    dcm4chee.connection.execute(b"DELETE FROM location WHERE pk = 5")
    (node.store / paths[0]).unlink()
    write(node, paths[1], image(1))
    told, answer = night(link, 25)
    assert (told["new"], told["gone"]) == (1, 2)
    assert answer["ledger"]["objects"] == 7
    assert deviations(answer) == {(paths[0], "missing"), (paths[1], "modified"), (paths[4], "orphan")}
