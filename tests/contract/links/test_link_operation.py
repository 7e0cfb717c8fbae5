"""An operation is followed to its end over real SSH servers."""

import time
from datetime import timedelta
from pathlib import Path

import pytest

from maintainer.errors import ActionFailed, NodeHeld
from maintainer.links import operation
from maintainer.links.lease import Holder, Lease, release_by_person
from maintainer.links.operation import Cancelled, carry_out
from tests.contract.links.flaky_link import TIME, A, B, Links, follow, meanwhile
from tests.contract.node.slow_program import Slow


def test_launched_and_followed(links: Links, work: Slow) -> None:
    """The answer is the program's own; a failure is its own sentence."""
    with Lease(link := links(), A):
        with meanwhile(lambda: (work.await_begin(), work.go())):
            assert follow(link, work) == {"said": "done"}
        with pytest.raises(ActionFailed, match="no cleanup root of that name"):
            carry_out(link, "step-2", "quarantine", {"root": "nowhere"}, TIME)
        with pytest.raises(ActionFailed, match="no program nonsense to act"):
            carry_out(link, "step-3", "nonsense", {}, TIME)


def test_the_end_is_heard_at_once(links: Links, work: Slow) -> None:
    """The node answers when it ends, not when it is asked the next time: an outage gets no longer."""
    ended: list[float] = []

    def let_go() -> None:
        work.await_begin()
        time.sleep(1)
        ended.append(time.monotonic())
        work.go()

    with Lease(link := links(), A), meanwhile(let_go):
        follow(link, work)
        heard = time.monotonic()
    assert heard - ended[0] < 1


@pytest.mark.parametrize("resumable", [True, False])
def test_a_stop_cancels_what_can_be_resumed(
    links: Links,
    work: Slow,
    resumable: bool,  # noqa: FBT001 (a case)
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing else is: whoever stops a run gets what has begun finished."""
    monkeypatch.setattr(operation, "LONGEST_WAIT", 2.0)

    def stop() -> None:
        work.await_begin()
        link.stop_asked = lambda: True
        if not resumable:
            time.sleep(1)
            work.go()

    with Lease(link := links(), A), meanwhile(stop):
        if resumable:
            with pytest.raises(Cancelled, match="it was cancelled"):
                carry_out(link, "step-1", "slow", dict(work.request), TIME, resumable=True)
        else:
            assert follow(link, work) == {"said": "done"}


def test_the_time_of_the_step_is_kept_on_the_node(links: Links, work: Slow) -> None:
    """It ends there a little before we stop waiting, so that its verdict still arrives."""
    with Lease(link := links(), A), pytest.raises(ActionFailed, match="the time given for this request is over"):
        follow(link, work, timedelta(seconds=4))
    assert not any(map(_alive, work.begun()))


def _alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.mark.fault(10, 8)
def test_fault_10_a_holder_that_slept_is_fenced(links: Links, work: Slow) -> None:
    """After somebody else took the node over, nothing that it asks is done."""
    first, second = links(), links()
    with Lease(first, A) as held:
        with pytest.raises(NodeHeld, match="held by agent@a"), Lease(second, B):
            pass
        released = release_by_person(second, B, "it sleeps", cancel=False, accept_log=False)
        assert released.before is not None
        assert released.before["who"] == "agent@a"
        with Lease(second, B):
            for ask in (held.check, lambda: follow(first, work)):
                with pytest.raises(NodeHeld, match="fenced: a newer run holds this node: agent@b"):
                    ask()
    assert not work.begun()


def test_released_with_what_still_runs_there(links: Links, work: Slow) -> None:
    """A person may end it; otherwise the next holder is told that it runs."""
    first, second = links(), links()
    with Lease(first, A):
        first.program().launch("step-1", "slow", dict(work.request), 60)
        work.await_begin()
    released = release_by_person(second, B, "its disk died", cancel=False, accept_log=False)
    assert (released.before, released.running, released.cancelled) == (None, "step-1", False)
    with Lease(second, B), pytest.raises(ActionFailed, match="another operation still runs on this node: step-1"):
        follow(second, work, key="step-2")
    released = release_by_person(second, B, "its disk died", cancel=True, accept_log=False)
    assert (released.running, released.cancelled) == ("step-1", True)
    work.go()
    with Lease(second, B):
        assert follow(second, work, key="step-2") == {"said": "done"}


def test_a_lease_that_cannot_be_given_back_is_no_error(links: Links) -> None:
    """The same controller's next run takes it anew; the work that was done counts."""
    with Lease(link := links(), A):
        link.cut()
    with Lease(links(), Holder("a", "r2", "agent@a")):
        pass
