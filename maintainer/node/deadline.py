"""The time that a request was given, kept on the node: nothing of ours works on after it."""

import signal
import threading
import time

from maintainer.node.envelope import DeadlinePassed


class Deadline:
    """Programs stop by themselves when `passed()`; a little later the alarm stops them in any case."""

    def __init__(self, seconds):
        self._hard = time.monotonic() + seconds
        self._soft = self._hard - min(2.0, seconds / 10)

    def left(self):
        return max(0.0, self._soft - time.monotonic())

    def passed(self):
        return time.monotonic() >= self._soft

    def rang(self):
        """Tell whether even the last of the time is over: the alarm rings once, and nothing new may begin."""
        return time.monotonic() >= self._hard

    def enforce(self):
        """Raise `DeadlinePassed` in the main thread when the time is over."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGALRM, _ring)
            signal.setitimer(signal.ITIMER_REAL, max(0.001, self._hard - time.monotonic()))

    def release(self):
        """No alarm from here on but the one that ends a process whose peer does not take the answer."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, 600)


def _ring(_signal, _frame):
    raise DeadlinePassed("the time given for this request is over", "give it more time, or ask for less at once")
