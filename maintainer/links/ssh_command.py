"""One command on one SSH channel: its input goes in while its outputs come out, within a deadline and a size."""

import contextlib
import threading
from collections.abc import Callable

import paramiko

from maintainer.errors import CouldNotLook, LinkLost
from maintainer.links.alarms import ALARMS
from maintainer.links.completed import Completed
from maintainer.links.deadline import Deadline

BROKEN = (paramiko.SSHException, EOFError, OSError)
"""What paramiko raises, from any call, when the connection ends under it."""
_CHUNK = 65_536


def close_channel(channel: paramiko.Channel) -> None:
    """Close it, also when the connection is just ending: then there is nobody left to tell."""
    with contextlib.suppress(*BROKEN):
        channel.close()


class Conversation:
    """One command, asked once. Closing the channel, from whichever thread, ends every wait in here."""

    def __init__(self, node: str, channel: paramiko.Channel, deadline: Deadline, at_most: int) -> None:
        self._node = node
        self._channel = channel
        self._deadline = deadline
        self._at_most = at_most
        self._left = at_most
        self._counting = threading.Lock()
        self._expired = threading.Event()
        self._torn = threading.Event()
        self._stdout: list[bytes] = []
        self._stderr: list[bytes] = []

    def hold(self, command: str, stdin: bytes) -> Completed:
        """Run the command and collect its answer.

        Raises:
            CouldNotLook: the node does not run commands, or the answer is larger than allowed.
            LinkLost: no ending was seen.
        """
        with ALARMS.unless_done_in(self._deadline.left, self._give_up):
            self._ask(command)
            self._exchange(stdin)
            self._channel.status_event.wait(self._deadline.left)
        return self._judge()

    def _give_up(self) -> None:
        self._expired.set()
        close_channel(self._channel)

    def _ask(self, command: str) -> None:
        try:
            self._channel.exec_command(command)
        except BROKEN:
            if self._expired.is_set() or not self._connected():
                raise LinkLost(
                    "the connection ended, or time ran out, while a command was being started",
                    where=self._node,
                    hint="it may have run: look at the node before asking again",
                ) from None
            raise CouldNotLook(
                "the node refuses to run commands", where=self._node, hint="does its sshd let this user run commands?"
            ) from None

    def _exchange(self, stdin: bytes) -> None:
        """Read both outputs at the same time: a command that fills the one we do not read would stand still."""
        helpers = [
            threading.Thread(target=self._drain, args=(self._channel.recv_stderr, self._stderr), daemon=True),
            threading.Thread(target=self._feed, args=(stdin,), daemon=True),
        ]
        for helper in helpers:
            helper.start()
        self._drain(self._channel.recv, self._stdout)
        for helper in helpers:
            helper.join()

    def _drain(self, receive: Callable[[int], bytes], kept: list[bytes]) -> None:
        try:
            while chunk := receive(_CHUNK):
                with self._counting:
                    self._left -= len(chunk)
                if self._left < 0:
                    close_channel(self._channel)
                    return
                kept.append(chunk)
        except BROKEN:
            # paramiko drops a chunk that it cannot acknowledge, and a status may be there all the same.
            self._torn.set()

    def _feed(self, stdin: bytes) -> None:
        # A command may end without reading its input; its status says whether that was well.
        with contextlib.suppress(*BROKEN):
            self._channel.sendall(stdin)
            self._channel.shutdown_write()

    def _connected(self) -> bool:
        return self._channel.get_transport().is_active()

    def _judge(self) -> Completed:
        if self._left < 0:
            raise CouldNotLook(
                f"a command answered more than {self._at_most / 1e6:g} MB",
                where=self._node,
                hint="see what answers there in place of our program: a login shell, another python3, a command=",
            )
        if self._expired.is_set() or self._deadline.passed:
            raise LinkLost(
                f"a command had not ended after {self._deadline}",
                where=self._node,
                hint="it may still run: look at the node before asking again",
            )
        if self._torn.is_set() or self._channel.exit_status < 0:
            raise self._without_status()
        return Completed(b"".join(self._stdout), b"".join(self._stderr), self._channel.exit_status)

    def _without_status(self) -> LinkLost:
        if self._torn.is_set() or not self._connected():
            return LinkLost(
                "the SSH connection was lost while a command ran",
                where=self._node,
                hint="it may have done its work: look at the node before asking again",
            )
        return LinkLost(
            "a command ended without a status: a signal ended it",
            where=self._node,
            hint="the machine may be out of memory, or somebody stopped it: see the node's journal",
        )
