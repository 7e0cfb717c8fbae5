"""What an SSH link promises, against two servers of different make."""

import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from maintainer.errors import CouldNotLook, LinkLost, NodeUnreachable
from maintainer.links.ssh import SshLink
from tests.contract.links.servers import (
    SshServer,
    Start,
    free_port,
    frozen,
    kill_all,
    open_files,
    wait_for,
)

SECOND = timedelta(seconds=1)
PLENTY = timedelta(seconds=30)


def at_once(number: int, work: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=work, args=(position,)) for position in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_command_answers_both_outputs_and_its_status(server: SshServer) -> None:
    """Standard output, standard error and the exit status arrive apart and complete."""
    with SshLink.connect("pacs-a", server.node()) as link:
        answer = link.run("echo out; echo err >&2; exit 7", b"", PLENTY)
    assert answer == (b"out\n", b"err\n", 7)


def test_input_larger_than_the_window_comes_back_whole(server: SshServer) -> None:
    """20 MB go in while 20 MB come out: neither side waits for the other."""
    content = os.urandom(1_000_000) * 20
    with SshLink.connect("pacs-a", server.node()) as link:
        answer = link.run("cat", content, PLENTY, at_most=30_000_000)
    assert answer.stdout == content


def test_both_outputs_are_drained_at_the_same_time(server: SshServer) -> None:
    """A command that fills standard error while standard output stays open does not stand still."""
    script = "head -c 5000000 /dev/zero >&2; head -c 1000000 /dev/zero"
    with SshLink.connect("pacs-a", server.node()) as link:
        answer = link.run(script, b"", PLENTY)
    assert (len(answer.stdout), len(answer.stderr)) == (1_000_000, 5_000_000)


def test_a_command_that_ignores_its_input_still_ends(server: SshServer) -> None:
    """Ten megabytes that nobody reads do not hold the link."""
    with SshLink.connect("pacs-a", server.node()) as link:
        assert link.run("exec true <&-", bytes(10_000_000), PLENTY).status == 0


@pytest.mark.fault(21)
def test_a_flood_is_cut_off(server: SshServer) -> None:
    """Output without end is cut off after 8 MB with a sentence, and the link stays usable."""
    with SshLink.connect("pacs-a", server.node()) as link:
        begun = time.monotonic()
        with pytest.raises(CouldNotLook, match="answered more than 8 MB"):
            link.run("exec cat /dev/zero", b"", PLENTY)
        assert time.monotonic() - begun < 5
        assert link.run("echo here", b"", PLENTY).stdout == b"here\n"


@pytest.mark.fault(12)
def test_a_deadline_that_passes_is_an_unknown_ending(server: SshServer) -> None:
    """A command that goes on is given up in time, and nobody claims to know how it ended."""
    with SshLink.connect("pacs-a", server.node()) as link:
        begun = time.monotonic()
        with pytest.raises(LinkLost, match="had not ended after 1 s"):
            link.run("exec sleep 20", b"", SECOND)
        assert time.monotonic() - begun < 2
        assert link.alive()


def test_the_connection_is_tuned(server: SshServer) -> None:
    """Small messages are not held back for 40 ms, and a cut cable is noticed after 15 s instead of 15 minutes."""
    with SshLink.connect("pacs-a", server.node()) as link:
        connection: Any = link._transport.sock
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 15_000


def test_a_command_has_no_terminal(server: SshServer) -> None:
    """Without a terminal, cutting the link does not kill what runs."""
    with SshLink.connect("pacs-a", server.node()) as link:
        assert link.run("test -t 0 || test -t 1 || test -t 2", b"", PLENTY).status == 1


def test_a_command_killed_on_the_node_has_no_known_ending(server: SshServer) -> None:
    """A signal is no exit status: what the command did before is not known."""
    with SshLink.connect("pacs-a", server.node()) as link, pytest.raises(LinkLost, match="a signal ended it"):
        link.run("kill -9 $$", b"", PLENTY)


@pytest.mark.fault(12)
def test_a_server_that_dies_in_mid_command_is_an_unknown_ending(server: SshServer) -> None:
    """The link is lost at once, not at the deadline."""
    with SshLink.connect("pacs-a", server.node()) as link:
        threading.Timer(0.5, kill_all, [server]).start()
        begun = time.monotonic()
        # The server may still have told that its command was killed with it; either way the ending is not known.
        with pytest.raises(LinkLost, match=r"connection was lost|a signal ended it"):
            link.run("exec sleep 20", b"", PLENTY)
        assert time.monotonic() - begun < 5
        wait_for(lambda: not link.alive())
        with pytest.raises(LinkLost):
            link.run("true", b"", PLENTY)


@pytest.mark.fault(21)
def test_a_frozen_server_is_given_up_at_the_deadline(server: SshServer) -> None:
    """A stopped sshd still has its TCP acknowledged by the kernel; only our own deadline helps."""
    with SshLink.connect("pacs-a", server.node()) as link:
        with frozen(server), pytest.raises(CouldNotLook, match="opened no channel in time"):
            link.run("true", b"", SECOND)
        assert link.run("echo thawed", b"", PLENTY).stdout == b"thawed\n"


def test_several_commands_at_once(server: SshServer) -> None:
    """Four threads share one connection."""
    with SshLink.connect("pacs-a", server.node()) as link:
        answers: dict[int, bytes] = {}
        at_once(4, lambda n: answers.update({n: link.run(f"sleep 0.2; echo {n}", b"", PLENTY).stdout}))
    assert answers == {number: f"{number}\n".encode() for number in range(4)}


def test_closing_leaves_no_thread_and_no_descriptor(server: SshServer) -> None:
    """Fifty nodes a night must not pile up threads or open files."""
    with SshLink.connect("pacs-a", server.node()) as link:
        link.run("true", b"", PLENTY)
    threads, descriptors = threading.active_count(), open_files()
    for _ in range(5):
        with SshLink.connect("pacs-a", server.node()) as link:
            link.run("true", b"", PLENTY)
    wait_for(lambda: threading.active_count() <= threads and open_files() <= descriptors)
    assert open_files() <= descriptors


@pytest.mark.fault(14)
def test_a_server_that_comes_back_within_the_timeout_is_waited_for(server: SshServer) -> None:
    """A restarting sshd refuses for a moment: connecting tries again, with pauses."""
    node = server.node().model_copy(update={"ssh": server.node().ssh.model_copy(update={"port": free_port()})})
    begun = time.monotonic()
    with pytest.raises(NodeUnreachable, match="nothing listens"):
        SshLink.connect("pacs-a", node, timeout=SECOND)
    assert 0.3 < time.monotonic() - begun < 2


@pytest.mark.fault(18)
@pytest.mark.parametrize("make", ["openssh"])
def test_two_sessions_allowed_and_six_wanted(start: Start) -> None:
    """MaxSessions 2: everything is answered, more slowly."""
    server = start(options=("MaxSessions 2",))
    with SshLink.connect("pacs-a", server.node()) as link:
        statuses: list[int] = []
        at_once(6, lambda _: statuses.append(link.run("sleep 0.2", b"", PLENTY).status))
    assert statuses == [0] * 6


@pytest.mark.fault(18)
@pytest.mark.parametrize("make", ["openssh"])
def test_two_callers_allowed_and_six_at_once(start: Start) -> None:
    """MaxStartups 2: the callers that were turned away come back until they are let in."""
    server = start(options=("MaxStartups 2",))
    links: list[SshLink] = []
    at_once(6, lambda _: links.append(SshLink.connect("pacs-a", server.node())))
    for link in links:
        link.close()
    assert len(links) == 6


@pytest.mark.parametrize("make", ["openssh"])
def test_no_session_at_all(start: Start) -> None:
    """MaxSessions 0 (forwarding only): said within seconds, nothing was asked."""
    server = start(options=("MaxSessions 0",))
    with SshLink.connect("pacs-a", server.node()) as link, pytest.raises(CouldNotLook, match="no further session"):
        link.run("true", b"", SECOND)


@pytest.mark.fault(12)
def test_the_work_goes_on_when_the_link_is_cut(server: SshServer, tmp_path: Path) -> None:
    """A command without terminal is not killed half-way by a deadline of ours."""
    mark = tmp_path / "mark"
    with SshLink.connect("pacs-a", server.node()) as link, pytest.raises(LinkLost):
        link.run(f"sleep 1; touch {mark}", b"", timedelta(seconds=0.3))
    wait_for(mark.exists)
