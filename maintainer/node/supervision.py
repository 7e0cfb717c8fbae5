"""Carrying out one operation apart from whoever asked: a worker that does it, a supervisor that outlives it.

The worker writes its verdict itself. When it is killed, or does not stop at its deadline, the supervisor ends it and
writes that. Where no verdict can be written there is none, and whoever looks is told that it vanished.
"""

import os
import signal
import time
from typing import Any, NamedTuple

from maintainer.node import envelope, operations
from maintainer.node.deadline import Deadline
from maintainer.node.envelope import DeadlinePassed, Failed, Refused, Trouble

GRACE = 5.0
"""Seconds between the worker's own end of time, or being told to stop, and being killed."""
_NEWS = (signal.SIGCHLD, signal.SIGTERM)


class Job(NamedTuple):
    """What is to be done under an id: `work` takes a `Deadline` and answers. `path`: of this node's state."""

    path: str
    key: str
    seconds: float
    work: Any


def asked_of(path, key):
    """The request that was launched under an id.

    Raises:
        Refused: there is none.
    """
    launched = operations.launch_of(path, operations.check_id(key))
    if launched is None:
        raise Refused("nothing was launched as " + key)
    return launched["asked"]


def carry_out(job):
    """Do the work in a process of its own and see it through; called in a process that nobody waits for."""
    held = operations.hold_running(job.path, job.key)
    began, until = operations.now(), time.monotonic() + job.seconds + GRACE
    signal.pthread_sigmask(signal.SIG_BLOCK, _NEWS)
    worker = os.fork()
    if worker == 0:
        _work(job, began)  # never returns
    stopped = _see_through(worker, until)
    # A worker that ended by itself and left no verdict could not write it; what it did, nobody can say.
    if stopped is not None and operations.result_of(job.path, job.key) is None:
        operations.write_result(job.path, job.key, _verdict(_killed(stopped), began))
    os.close(held)


def _work(job, began):
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGTERM, _cancelled)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _NEWS)
        operations.write_result(job.path, job.key, _verdict(_answer(job), began))
    finally:
        os._exit(0)


def _answer(job):
    deadline = Deadline(job.seconds)
    deadline.enforce()
    try:
        answer = job.work(deadline)
        envelope.write_answer(answer)  # what the other end would not read is no answer
    except Trouble as trouble:
        return trouble
    else:
        return answer
    finally:
        deadline.release()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is over: only the verdict is still to be written


def _verdict(answer, began):
    if isinstance(answer, Trouble):
        error = {"class": answer.word, "what": envelope.plain(answer.what), "hint": envelope.plain(answer.hint)}
        return {"started_at": began, "ok": False, "error": error}
    return {"started_at": began, "ok": True, "answer": answer}


def _see_through(worker, until):
    """Wait for the worker; answers why it had to be ended, or which signal ended it, or None."""
    why = None
    while os.waitid(os.P_PID, worker, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        news = signal.sigtimedwait(_NEWS, max(0.01, until - time.monotonic()))
        if news and news.si_signo == signal.SIGTERM and why is None:
            # By a request to cancel, or by systemd when the unit's time is over.
            why, until = "cancelled", min(until, time.monotonic() + GRACE)
            os.kill(worker, signal.SIGTERM)
        elif time.monotonic() >= until:
            why = why or "deadline"
            os.killpg(worker, signal.SIGKILL)
    _, status = os.waitpid(worker, 0)
    return why or (os.WTERMSIG(status) if os.WIFSIGNALED(status) else None)


def _killed(why):
    if why == "deadline":
        return DeadlinePassed("the time for this operation is over, and it did not stop by itself", "look at the node")
    if why == "cancelled":
        return Failed("it was cancelled", "look at the node")
    return Failed(
        "signal {} ended it".format(why), "somebody stopped it, or the machine is out of memory: see its journal"
    )


def _cancelled(_signal, _frame):
    raise Failed("it was cancelled", "look at the node")
