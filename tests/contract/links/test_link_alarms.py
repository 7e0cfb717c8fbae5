"""What takes too long is noticed, however many wait; what ends in time is left alone."""

import threading
import time

import pytest

from maintainer.links.alarms import Alarms

LONG = 60.0


def test_what_takes_too_long_is_noticed_while_it_does() -> None:
    """An earlier one that is set later comes first."""
    alarms, rung, order = Alarms(), threading.Event(), []

    def second() -> None:
        order.append("second")
        rung.set()

    with (
        alarms.unless_done_in(LONG, lambda: order.append("never")),
        alarms.unless_done_in(0.2, second),
        alarms.unless_done_in(0.1, lambda: order.append("first")),
    ):
        assert rung.wait(LONG)
    assert order == ["first", "second"]


def test_what_ends_in_time_is_left_alone() -> None:
    """Also when it ends by an error, which is not swallowed; and another one still has its turn afterwards."""
    alarms, rung, late = Alarms(), threading.Event(), threading.Event()
    with pytest.raises(KeyError), alarms.unless_done_in(0.05, late.set):
        raise KeyError
    with alarms.unless_done_in(0.1, rung.set):
        assert rung.wait(LONG)
    assert not late.is_set()


def test_a_call_that_hangs_holds_up_no_other() -> None:
    """Each has a thread of its own: what is called may wait for a dead line itself."""
    alarms, rung, free = Alarms(), threading.Event(), threading.Event()
    try:
        with alarms.unless_done_in(0.05, lambda: free.wait(LONG)), alarms.unless_done_in(0.1, rung.set):
            assert rung.wait(LONG)
    finally:
        free.set()


def test_many_take_one_thread_which_ends_after_the_last() -> None:
    """A look over a fleet sets tens of thousands."""
    alarms, before = Alarms(), set(threading.enumerate())
    for _ in range(1000):
        with alarms.unless_done_in(0.2, pytest.fail):
            assert len(_waiting() - before) == 1
    until = time.monotonic() + LONG
    while _waiting() - before and time.monotonic() < until:
        time.sleep(0.01)
    assert not _waiting() - before


def _waiting() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "alarms"}
