"""Rebooting a node and waiting for its next boot, on a link in memory."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, cast

import pytest

from maintainer.errors import ActionFailed, CouldNotLook, LinkLost
from maintainer.links import reboot as links_reboot
from maintainer.links.node_link import NodeLink
from maintainer.links.node_observer import NodeObserver
from maintainer.links.reboot import reboot
from maintainer.model.task import NodeQuery, Observation

SOON = timedelta(seconds=0.3)


class Machine:
    """Answers `hello` with one boot id after the other; None is silence. Is link, program and observer in one."""

    name = "pacs-a"

    def __init__(self, *boots: str | None, asked: Callable[[], object] = lambda: None) -> None:
        self._boots: Iterator[str | None] = iter(boots)
        self._last: str | None = None
        self._asked, self.requests, self.closed = asked, [], 0
        self.requests: list[dict[str, Any]]

    def program(self) -> "Machine":
        return self

    def close(self) -> None:
        self.closed += 1

    def act(self, program: str, request: dict[str, Any], *_: object, **__: object) -> dict[str, Any]:
        assert program == "reboot"
        self.requests.append(request)
        self._asked()
        return request

    def observe(self, observation: Observation) -> dict[str, Any]:
        assert observation == NodeQuery(program="hello", request={})
        self._last = next(self._boots, self._last)
        if self._last is None:
            raise CouldNotLook("nobody answers", where="pacs-a")
        return {"boot_id": self._last if self._last != "untold" else None}


def raising(error: Exception) -> Callable[[], object]:
    def asked() -> None:
        raise error

    return asked


def rebooted(machine: Machine) -> dict[str, Any]:
    return reboot(cast(NodeLink, machine), cast(NodeObserver, machine), SOON)


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links_reboot, "BETWEEN_LOOKS", 0.001)


def test_it_comes_back_in_another_boot() -> None:
    """While it still runs, and while it is silent, it is waited for, each time over a new connection."""
    machine = Machine("one", "one", None, None, "two")
    assert rebooted(machine)["boot_id"] == "two"
    assert machine.requests == [{"boot_id": "one"}]
    assert machine.closed == 4


def test_a_reboot_that_was_quicker_than_its_answer() -> None:
    """A link that is lost while asking is no failure when another boot answers."""
    assert rebooted(Machine("one", "two", asked=raising(LinkLost("cut"))))["boot_id"] == "two"


def test_a_node_that_goes_on_running_has_not_rebooted() -> None:
    """The same boot after all the time that was given."""
    with pytest.raises(ActionFailed, match=r"no other boot answered within 0\.3 s: it went on running"):
        rebooted(Machine("one", "one"))


def test_a_node_that_does_not_come_back() -> None:
    """The last silence is told."""
    with pytest.raises(ActionFailed, match="nobody answers"):
        rebooted(Machine("one", None))


def test_a_node_that_refuses_is_not_waited_for() -> None:
    """Its sentence ends it at once."""
    machine = Machine("one", "one", asked=raising(ActionFailed("this node may not be rebooted")))
    with pytest.raises(ActionFailed, match="may not be rebooted"):
        rebooted(machine)
    assert machine.closed == 0


def test_a_node_that_cannot_tell_its_boots_apart_is_not_rebooted() -> None:
    """Without a boot id nobody could say afterwards whether it happened."""
    machine = Machine("untold")
    with pytest.raises(ActionFailed, match="does not tell one boot from another"):
        rebooted(machine)
    assert machine.requests == []
