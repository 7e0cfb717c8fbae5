"""An operation is followed to its end whatever happens to the link: found again, or unknown, and never begun twice."""

import time
from datetime import timedelta

import pytest

from maintainer.errors import ActionFailed, LinkLost, NodeUnreachable
from maintainer.links.lease import Holder, Lease
from tests.contract.links import servers
from tests.contract.links.flaky_link import OPENSSH, A, Links, follow, meanwhile
from tests.contract.node.slow_program import Slow


@pytest.mark.fault(12)
def test_fault_12_the_connection_breaks(links: Links, work: Slow) -> None:
    """In the middle, twice: found again each time, and begun once."""

    def break_it() -> None:
        work.await_begin()
        for _ in range(2):
            time.sleep(0.7)
            link.ssh().close()
        time.sleep(0.3)
        work.go()

    with Lease(link := links(), A), meanwhile(break_it):
        assert follow(link, work) == {"said": "done"}
    assert len(work.begun()) == 1


@pytest.mark.fault(19)
@OPENSSH
def test_fault_19_sshd_is_killed_and_started_again(server: servers.SshServer, links: Links, work: Slow) -> None:
    """With every process of every connection; the operation lives, and is found again."""

    def restart() -> None:
        work.await_begin()
        servers.kill_all(server)
        time.sleep(1)
        servers.start_again(server)
        time.sleep(0.5)
        work.go()

    with Lease(link := links(), A), meanwhile(restart):
        assert follow(link, work) == {"said": "done"}
    assert len(work.begun()) == 1


@pytest.mark.fault(13)
@pytest.mark.parametrize("lost", [1, 3])
def test_fault_13_the_answer_to_the_launch_is_lost(links: Links, work: Slow, lost: int) -> None:
    """Launched again under the same id, it is the one that runs already."""
    answers = []

    def losing(request: bytes) -> bool:
        launches = b'"launch":"step-1"' in request
        answers.append(launches)
        return launches and answers.count(True) <= lost

    with Lease(link := links(), A):
        link.losing = losing  # type: ignore[method-assign]  # (a field, told as a function)
        with meanwhile(lambda: (work.await_begin(), time.sleep(1), work.go())):
            assert follow(link, work) == {"said": "done"}
    assert answers.count(True) == lost + 1
    assert len(work.begun()) == 1


@pytest.mark.fault(15)
def test_fault_15_every_other_answer_is_lost(links: Links, work: Slow) -> None:
    """It completes all the same."""
    asked: list[bytes] = []

    def losing(request: bytes) -> bool:
        asked.append(request)
        return len(asked) % 2 == 1

    work.go()
    with Lease(link := links(), A):
        link.losing = losing  # type: ignore[method-assign]  # (a field, told as a function)
        assert follow(link, work) == {"said": "done"}
        link.losing = lambda _request: False  # type: ignore[method-assign]  # (a field, told as a function)
    assert len(work.begun()) == 1


@pytest.mark.fault(12, 8)
@OPENSSH
def test_fault_12_a_node_that_stays_away_is_unknown(server: servers.SshServer, links: Links, work: Slow) -> None:
    """Never failed; and whoever asks under the same id when it is back gets the verdict (FAULTS 8)."""

    def kill() -> None:
        work.await_begin()
        servers.kill_all(server)

    with Lease(link := links(), A):
        began = time.monotonic()
        with meanwhile(kill), pytest.raises(LinkLost) as caught:
            follow(link, work, timedelta(seconds=4))
        assert time.monotonic() - began < 20
        assert "next run asks" in caught.value.hint
        servers.start_again(server)
    with (
        Lease(later := links(), Holder("a", "r2", "agent@a")),
        pytest.raises(ActionFailed, match="the time given for this request is over"),
    ):
        follow(later, work)
    assert len(work.begun()) == 1


def test_a_person_who_cuts_the_link_waits_no_longer(links: Links, work: Slow) -> None:
    """It is unknown at once, nothing connects again, and the operation goes on until its own end."""

    def cut() -> None:
        work.await_begin()
        time.sleep(0.5)
        link.cut()

    with Lease(link := links(), A):
        began = time.monotonic()
        with meanwhile(cut), pytest.raises(LinkLost):
            follow(link, work)
        assert time.monotonic() - began < 15
        with pytest.raises(LinkLost, match="cut here, on request"):
            link.ssh()
    with Lease(later := links(), Holder("a", "r2", "agent@a")):
        work.go()
        assert follow(later, work) == {"said": "done"}
    assert len(work.begun()) == 1


@OPENSSH
def test_what_never_reached_the_node_was_never_begun(server: servers.SshServer, links: Links, work: Slow) -> None:
    """Not unknown: there is nothing that could have happened."""
    link = links()
    link.lease = {"controller": "a", "run": "r1", "token": 1}
    servers.kill_all(server)
    with pytest.raises(NodeUnreachable):
        follow(link, work, timedelta(seconds=3))
    assert not work.begun()


@pytest.mark.fault(22)
def test_fault_22_without_a_verdict_it_is_unknown(server: servers.SshServer, links: Links, work: Slow) -> None:
    """Its file was removed, or says something else than the program documents: neither done nor failed."""
    operations = server.folder / "home" / ".local" / "state" / "maintainer" / "operations"
    work.go()
    with Lease(link := links(), A):
        follow(link, work)
        verdict = operations / "step-1.json"
        verdict.write_text(verdict.read_text().replace('"ok": true', '"ok": null'))
        with pytest.raises(LinkLost, match="does not document"):
            follow(link, work, timedelta(seconds=5))  # it asks as long as it may
        time.sleep(5)  # until it cannot be one that is just beginning
        verdict.unlink()
        with pytest.raises(LinkLost, match="ended without a verdict"):
            follow(link, work)
    assert len(work.begun()) == 1
