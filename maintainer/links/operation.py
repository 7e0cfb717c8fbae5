"""An operation on a node that outlives the link: launched, followed, found again after the link was lost.

The id is the step's, so whoever asks again under it, this run or a later one, gets the one operation that there is.
"""

import contextlib
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from pydantic import JsonValue

from maintainer.errors import ActionFailed, CouldNotLook, LinkLost, NodeUnreachable
from maintainer.links.deadline import Deadline
from maintainer.links.node_answers import Trouble, verdict
from maintainer.links.node_link import NodeLink
from maintainer.links.node_program import acting_error

LONGEST_WAIT = 10.0
"""Seconds that the node is asked to wait for the end before it answers that it still runs.

The launch waits, too: a question of its own would start another program on the node, in the middle of an outage.
"""
TO_ANSWER = timedelta(seconds=20)
MARGIN = 0.1
"""Part of the time that is kept for the verdict's way back, within these seconds."""
SHORTEST_MARGIN, LONGEST_MARGIN = 1.0, 10.0
LONGEST_PAUSE = 5.0
OFTEN_ENOUGH = 5
"""How often a node that can be reached is asked again when it gives no answer."""

Answer = TypeVar("Answer")


class Cancelled(ActionFailed):
    """It was ended before its time because a stop was asked for; what it had done by then stays done."""


def carry_out(
    link: NodeLink,
    key: str,
    program: str,
    request: dict[str, JsonValue],
    timeout: timedelta,
    *,
    resumable: bool = False,
) -> dict[str, Any]:
    """Launch it, wait for its end and give what it answered. `resumable`: it is cancelled when a stop is asked for.

    Raises:
        Cancelled: that happened.
        NodeHeld: somebody else holds the node; nothing was begun.
        ActionFailed: the node could not begin, or its verdict is that it did not succeed.
        LinkLost: how it ended is not known: the node could not be asked in time, or there is no verdict.
        CouldNotLook: the node could not be reached, so nothing was begun.
    """
    following = _Following(link, key, program, request, Deadline(timeout))
    following.resumable = resumable
    return following.to_the_end()


class _Following:
    def __init__(
        self, link: NodeLink, key: str, program: str, request: dict[str, JsonValue], deadline: Deadline
    ) -> None:
        self._link, self._key, self._program, self._request = link, key, program, request
        self._deadline = deadline
        self._asked = self._cancelling = self.resumable = False

    def to_the_end(self) -> dict[str, Any]:
        found = self._again(self._launch)
        while found["state"] == "running":
            if self._deadline.passed:
                raise self._unknown(f"it still ran after {self._deadline}")
            self._heed_stop()
            found = self._again(self._look)
        return self._ended(found)

    def _launch(self) -> dict[str, Any]:
        program = self._link.program()
        # From here on the node may have begun, whatever becomes of its answer.
        self._asked = True
        wait = round(min(LONGEST_WAIT, self._deadline.left), 3)
        return program.launch(self._key, self._program, self._request, self._time_on_node(), wait=wait)

    def _heed_stop(self) -> None:
        if self.resumable and self._link.stop_asked():
            self._cancelling = True
            # Followed to its end all the same, and told again until then.
            with contextlib.suppress(ActionFailed, CouldNotLook):
                self._link.program().act("cancel", {"id": self._key}, TO_ANSWER)

    def _look(self) -> dict[str, Any]:
        """The node answers at once when it ends: so a restart loses no second, and an hour costs few questions."""
        wait = min(LONGEST_WAIT, self._deadline.left)
        request: dict[str, JsonValue] = {"id": self._key, "wait_seconds": round(wait, 3)}
        answer: Any = self._link.program().observe("operation", request, timedelta(seconds=wait) + TO_ANSWER)
        return dict(answer)

    def _again(self, ask: Callable[[], Answer]) -> Answer:
        """Ask until there is an answer: the operation goes on without us, and asking twice does no harm."""
        pause, said_no = 0.2, 0
        while True:
            try:
                return ask()
            except CouldNotLook as error:
                if not self._asked:
                    raise
                said_no += not isinstance(error, LinkLost | NodeUnreachable)
                if self._link.is_cut or said_no == OFTEN_ENOUGH or self._deadline.left <= pause:
                    raise self._unknown(error.said_of(self._link.name)) from error
                self._link.close()
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _ended(self, found: dict[str, Any]) -> dict[str, Any]:
        if found["state"] != "finished":
            raise self._unknown(WITHOUT_VERDICT[found["state"]])
        try:
            answer = verdict(found, self._program)
        except Trouble as trouble:
            error = acting_error(self._link.name, trouble)
            if self._cancelling and trouble.word == "failed":
                raise Cancelled(error.what, where=error.where, hint=error.hint) from None
            raise error from None
        except ValueError as error:
            raise self._unknown(str(error)) from None
        return answer if isinstance(answer, dict) else {}

    def _time_on_node(self) -> float:
        left = self._deadline.left
        return round(max(0.5, left - min(LONGEST_MARGIN, max(SHORTEST_MARGIN, left * MARGIN))), 3)

    def _unknown(self, why: str) -> LinkLost:
        hint = "the node ends it at its deadline at the latest; the next run asks for its verdict"
        return LinkLost(why, where=self._link.name, hint=hint)


WITHOUT_VERDICT = {
    "vanished": "the operation ended without a verdict: it was killed, or the node's disk is full",
    "interrupted": "the operation was interrupted by a reboot of the node",
    "unknown-id": "the node does not know of the operation: its state folder was emptied",
}
