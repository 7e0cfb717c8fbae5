"""Waiting before a stop, and what a restart cost, on a practice PACS over SSH."""

import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from pynetdicom import AE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined] # (pynetdicom makes these names at run time)

from maintainer.app import Maintainer, load
from maintainer.errors import ActionFailed, StillInUse
from maintainer.model.action import Action, Drain, ProveService, Reboot, RestartServices
from maintainer.model.task import NodeQuery, Probe
from maintainer.running.ports import Actor, Observer
from tests.practice_fixture import Practice

SOON = timedelta(seconds=60)


@contextmanager
def working(practice: Practice, **more: str) -> Iterator[tuple[Observer, Actor]]:
    """Eyes and hands on the practice node; `more` are lines for its inventory, by what they are put before."""
    text = practice.inventory.read_text("utf-8")
    for before, line in more.items():
        mark = f"[nodes.practice.{before}]"
        assert text.count(mark) == 1
        text = text.replace(mark, f"{line}\n{mark}" if before == "ssh" else f"{mark}\n{line}")
    changed = practice.folder.parent / "changed.toml"
    changed.write_text(text, "utf-8")
    app = Maintainer(load(changed))
    with app.read_log() as log, app.fleet(log, "contract").work("practice") as (observer, actor):
        yield observer, actor


def perform(actor: Actor, action: Action) -> dict[str, Any]:
    return dict(actor.perform(action, SOON, f"step-{secrets.token_hex(8)}"))


@contextmanager
def association(practice: Practice) -> Iterator[Any]:
    entity = AE(ae_title="MODALITY")
    entity.add_requested_context(Verification)
    made = entity.associate("127.0.0.1", practice.ports.dicom, ae_title="PRACTICE")
    assert made.is_established
    try:
        yield made
    finally:
        made.release()


def test_nobody_there_is_drained_at_once(shared_practice: Practice) -> None:
    """Without associations there is nothing to wait for."""
    with working(shared_practice) as (_, actor):
        assert perform(actor, Drain(within=timedelta(seconds=30))) == {"associations": 0}


def test_an_association_is_waited_for(shared_practice: Practice) -> None:
    """The drain ends when the last association has ended, and tells how many there were."""
    with working(shared_practice) as (_, actor), association(shared_practice) as open_one:
        ending = threading.Timer(1.5, open_one.release)
        ending.start()
        begun = time.monotonic()
        measured = perform(actor, Drain(within=timedelta(seconds=30)))
        ending.join()
    assert measured == {"associations": 1}
    assert 1 < time.monotonic() - begun < 15


def test_an_association_that_stays_forbids_the_stop(shared_practice: Practice) -> None:
    """When the time is over somebody still uses it: that is said, with how many."""
    said = pytest.raises(StillInUse, match="1 open DICOM association did not end within 1 s")
    with working(shared_practice) as (_, actor), association(shared_practice), said:
        perform(actor, Drain(within=timedelta(seconds=1)))


def test_arriving_images_forbid_the_stop(shared_practice: Practice) -> None:
    """An idle association is waited for; one over which much comes in is a reason to refuse at once."""
    refusing = Drain(within=timedelta(seconds=2), refuse_while_receiving=True)
    with working(shared_practice) as (_, actor):
        with association(shared_practice), pytest.raises(StillInUse, match="did not end within 2 s"):
            perform(actor, refusing)
        with sending(shared_practice), pytest.raises(StillInUse, match="images arrive over 1 open"):
            perform(actor, refusing)


@contextmanager
def sending(practice: Practice) -> Iterator[None]:
    """Send without end, as a modality does: one PDU that announces four gigabytes."""
    over = threading.Event()
    peer = socket.create_connection(("127.0.0.1", practice.ports.dicom))

    def send() -> None:
        peer.sendall(b"\x01\x00\xff\xff\xff\xff")
        while not over.wait(0.02):
            peer.sendall(bytes(10_000))

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        peer.close()


def test_the_outage_is_measured(practice: Practice) -> None:
    """From the restart until every probe answers, and by the node alone; what only starts has no outage to tell."""
    with working(practice) as (observer, actor):
        perform(actor, RestartServices(services=("archive",)))
        assert "outage_seconds" not in perform(actor, ProveService(within=SOON))
        begun = time.monotonic()
        restarted: Any = perform(actor, RestartServices(services=("archive",), stop_first=("archive",)))
        measured: Any = perform(actor, ProveService(within=SOON))
        down = restarted["services"]["archive"]["down_seconds"]
        assert 0 < down < measured["outage_seconds"] <= round(time.monotonic() - begun, 3)
        assert observer.observe(Probe(by="c-echo"))["answered"] is True  # type: ignore[index,call-overload]  # (a mapping, by contract)


def test_an_archive_that_cannot_send_images_does_not_serve(practice: Practice) -> None:
    """C-ECHO alone proves nothing where a canary is declared."""
    said = pytest.raises(ActionFailed, match=r"does not serve after .* canary: .* does not have the canary study")
    with working(practice, dicom='canary = "1.2.3"') as (_, actor), said:
        perform(actor, ProveService(within=timedelta(seconds=1)))


def test_what_is_not_mounted_does_not_serve(practice: Practice) -> None:
    """A declared mount that is a plain folder is told by its path."""
    where = f'mounts = ["{practice.folder}/store"]'
    with working(practice, ssh=where) as (observer, _):
        answer: Any = observer.observe(Probe(by="mounts"))
        assert answer["answered"] is False
        assert answer["why"] == f"{practice.folder}/store is not mounted"


def test_a_node_that_may_not_be_rebooted_refuses(shared_practice: Practice) -> None:
    """Without `reboot = true` the node itself says no, and goes on in the same boot."""
    with working(shared_practice) as (observer, actor):
        before: Any = observer.observe(NodeQuery(program="hello", request={}))
        with pytest.raises(ActionFailed, match="this node may not be rebooted"):
            perform(actor, Reboot(within=timedelta(seconds=5)))
        after: Any = observer.observe(NodeQuery(program="hello", request={}))
        assert before["boot_id"] == after["boot_id"]
