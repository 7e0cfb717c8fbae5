"""An operation is followed to its end over real SSH servers, whatever happens to the link.

FAULTS 8, 10, 12, 13, 15, 19 and 22.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from maintainer.errors import ActionFailed, LinkLost, NodeHeld, NodeUnreachable
from maintainer.links.completed import Completed
from maintainer.links.lease import Holder, Lease, release_by_person
from maintainer.links.node_link import NodeLink
from maintainer.links.node_program import NodeProgram, zipapp_bytes
from maintainer.links.operation import Cancelled, carry_out
from maintainer.model.inventory import Node
from tests.contract.links import servers
from tests.contract.links.conftest import _makes
from tests.contract.node.slow_program import TEXT, Slow, slow

TIME = timedelta(seconds=30)
POLICY: Any = {"services": {}, "roots": {}, "store": None, "not_objects": []}
A, B = Holder("a", "r1", "agent@a"), Holder("b", "r1", "agent@b")
OPENSSH = pytest.mark.parametrize("make", _makes()[:1])


class FlakyLink(NodeLink):
    """Loses the answers that it is told to, after the node has done what was asked."""

    losing: Callable[[bytes], bool] = staticmethod(lambda _request: False)

    def program(self) -> NodeProgram:
        program = super().program()
        run = program._run

        def lossy(command: str, stdin: bytes, timeout: timedelta) -> Completed:
            answered = run(command, stdin, timeout)
            if self.losing(stdin):
                self.ssh().close()
                raise LinkLost("the link was lost before the answer", where=self.name)
            return answered

        program._run = lossy
        return program


@pytest.fixture(scope="session")
def zipapp(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("third-party")
    (folder / "act_slow.py").write_text(TEXT)
    return zipapp_bytes([files("tasks.node"), folder])


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Slow]:
    with slow(tmp_path / "work") as one:
        yield one


Links = Callable[[], FlakyLink]


@pytest.fixture
def links(server: servers.SshServer, zipapp: bytes) -> Iterator[Links]:
    """Links to the server's node, closed when the test has ended."""
    made: list[FlakyLink] = []

    def link(node: Node | None = None) -> FlakyLink:
        made.append(FlakyLink("pacs-a", node or server.node(), run_id="r1", zipapp=zipapp, policy=POLICY))
        return made[-1]

    yield link
    for one in made:
        one.close()


@contextmanager
def meanwhile(do: Callable[[], object]) -> Iterator[None]:
    """Do something in a thread of its own while the body runs; what it raises is raised."""
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(do)
        yield
    done.result()


def follow(link: NodeLink, work: Slow, timeout: timedelta = TIME, key: str = "step-1") -> dict[str, Any]:
    return carry_out(link, key, "slow", dict(work.request), timeout)


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
def test_a_stop_cancels_what_can_be_resumed(links: Links, work: Slow, resumable: bool) -> None:  # noqa: FBT001 (a case)
    """Nothing else is: whoever stops a run gets what has begun finished."""

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


def test_the_time_of_the_step_is_kept_on_the_node(links: Links, work: Slow) -> None:
    """It ends there a little before we stop waiting, so that its verdict still arrives."""
    with Lease(link := links(), A), pytest.raises(ActionFailed, match="the time given for this request is over"):
        follow(link, work, timedelta(seconds=4))
    assert not any(map(_alive, work.begun()))


def _alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


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
            follow(link, work)
        time.sleep(5)  # until it cannot be one that is just beginning
        verdict.unlink()
        with pytest.raises(LinkLost, match="ended without a verdict"):
            follow(link, work)
    assert len(work.begun()) == 1


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
