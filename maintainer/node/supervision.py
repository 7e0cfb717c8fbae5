"""Carrying out one operation apart from whoever asked: a worker that does it, a supervisor that outlives it.

The worker writes its verdict itself. When it is killed, or does not stop at its deadline, the supervisor ends it and
writes that. Where no verdict can be written there is none, and whoever looks is told that it vanished; so too when
somebody else than `cancel` tells it to end, as systemd does when the machine goes down.

What must not be left half-done has a rescue: whenever the worker leaves no verdict, another one carries that out.
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
CANCEL = signal.SIGUSR1
"""By which `cancel` is told from anybody else who ends it."""
_NEWS = (signal.SIGCHLD, signal.SIGTERM, CANCEL)


class NoVerdict(BaseException):
    """How it ended cannot be told; not a `Trouble`, so that no program takes it for one of its own."""


class Job(NamedTuple):
    """What is to be done under an id: `work` takes a `Deadline` and answers. `path`: of this node's state.

    `rescue` takes one too, of as many seconds again, and answers a sentence; None where half-done is no harm.
    """

    path: str
    key: str
    seconds: float
    work: Any
    rescue: Any = None

    @property
    def longest(self):
        """Seconds after which nothing of it runs any more."""
        return (self.seconds + GRACE) * (2 if self.rescue else 1)


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
    began = operations.now()
    signal.pthread_sigmask(signal.SIG_BLOCK, _NEWS)
    worker = _fork(_end_work, lambda: _note(job, began, _answer(job)))
    # A worker that ended by itself and left no verdict could not write it; what it did, nobody can say.
    why = _killed(_see_through(worker, job.seconds))
    if operations.result_of(job.path, job.key) is None:
        if job.rescue:
            rescuer = _fork(_hear_nothing, lambda: _note(job, began, _rescued(job, why)))
            _see_through(rescuer, job.seconds, told=True)
        else:
            _note(job, began, why)
    os.close(held)


def _fork(when_told, work):
    """Start a process that does the work and ends; answers its number."""
    child = os.fork()
    if child:
        return child
    try:
        os.setpgid(0, 0)
        for number in (signal.SIGTERM, CANCEL):
            # Never SIG_IGN: what is started would inherit that.
            signal.signal(number, when_told)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _NEWS)
        work()
    finally:
        os._exit(0)


def _answer(job):
    deadline = Deadline(job.seconds)
    if not job.rescue:
        deadline.enforce()  # else the supervisor ends it, so that its rescue begins
    try:
        answer = job.work(deadline)
        envelope.write_answer(answer)  # what the other end would not read is no answer
    except (Trouble, NoVerdict) as ending:
        return ending
    else:
        return answer
    finally:
        deadline.release()
        for number in (signal.SIGTERM, CANCEL):
            signal.signal(number, _hear_nothing)  # it is over: only the verdict is still to be written


def _rescued(job, why):
    """What is to be noted: why the work ended, and how it is now."""
    try:
        now = job.rescue(Deadline(job.seconds))
    except Trouble as trouble:
        now = trouble.what
    return why if isinstance(why, NoVerdict) else type(why)("{}; {}".format(why.what, now), why.hint)


def _note(job, began, answer):
    if not isinstance(answer, NoVerdict):
        operations.write_result(job.path, job.key, _verdict(answer, began))


def _verdict(answer, began):
    if isinstance(answer, Trouble):
        error = {"class": answer.word, "what": envelope.plain(answer.what), "hint": envelope.plain(answer.hint)}
        return {"started_at": began, "ok": False, "error": error}
    return {"started_at": began, "ok": True, "answer": answer}


def _see_through(worker, seconds, *, told=False):
    """Wait for the worker; answers why it had to be ended, or which signal ended it, or None.

    Told to end, it tells the worker, once.
    """
    why, until = None, time.monotonic() + seconds + GRACE
    while os.waitid(os.P_PID, worker, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        news = signal.sigtimedwait(_NEWS, max(0.01, until - time.monotonic()))
        if news and news.si_signo != signal.SIGCHLD and not told:
            why, until, told = news.si_signo, min(until, time.monotonic() + GRACE), True
            os.kill(worker, signal.SIGTERM)
        elif time.monotonic() >= until:
            why = why or signal.SIGALRM
            os.killpg(worker, signal.SIGKILL)
    _, status = os.waitpid(worker, 0)
    return why or (os.WTERMSIG(status) if os.WIFSIGNALED(status) else None)


def _killed(why):
    """What stands in the verdict of a worker that left none, by the signal that ended it."""
    if why == signal.SIGALRM:
        return DeadlinePassed("the time for this operation is over, and it did not stop by itself", "look at the node")
    if why == CANCEL:
        return Failed("it was cancelled", "look at the node")
    if why is None or why == signal.SIGTERM:
        return NoVerdict()
    return Failed(
        "signal {} ended it".format(why), "somebody stopped it, or the machine is out of memory: see its journal"
    )


def _end_work(_signal, _frame):
    raise NoVerdict


def _hear_nothing(_signal, _frame):
    pass
