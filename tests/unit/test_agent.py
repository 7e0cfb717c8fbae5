"""The agent's heartbeat: once per opening, in order, and no mistake stops the next beat."""

from datetime import UTC, date, datetime, time, timedelta

from maintainer.model.inventory import Site
from maintainer.model.window import Occurrence, Window
from maintainer.planning.calendar import open_now
from maintainer.running.agent import Agent

START = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)


def opening(name: str, days: int = 0, minutes: int = 0) -> Occurrence:
    opens = START + timedelta(days=days, minutes=minutes)
    return Occurrence(
        window=name, day=date(2026, 3, 1) + timedelta(days=days), opens=opens, closes=opens + timedelta(hours=4)
    )


def test_each_opening_is_run_once() -> None:
    """However often the heart beats while a window is open, it runs once; the next night it runs again."""
    now, ran = [opening("night")], list[Occurrence]()
    agent = Agent(lambda: {one.window: one for one in now}, ran.append)
    for _ in range(3):
        agent.beat()
        agent.turn()
    now[0] = opening("night", days=1)
    agent.beat()
    agent.turn()
    assert ran == [opening("night"), opening("night", days=1)]


def test_openings_that_touch_are_run_one_by_one() -> None:
    """A window that is open every day the whole day does not close, and has its run each day all the same."""
    windows, site = {"always": Window(opens=time(), closes=time())}, Site(name="s", timezone="Europe/Paris")
    now, ran = [START], list[Occurrence]()
    agent = Agent(lambda: open_now(windows, site, now[0]), ran.append)
    for hours in range(72):
        now[0] = START + timedelta(hours=hours)
        agent.beat()
        agent.turn()
    assert [each.day for each in ran] == [date(2026, 3, day) for day in (1, 2, 3, 4)]


def test_what_opened_first_runs_first() -> None:
    """Windows that are open together run in the order in which they opened."""
    ran: list[Occurrence] = []
    late, early = opening("late", minutes=30), opening("early")
    agent = Agent(lambda: {"late": late, "early": early}, ran.append)
    agent.beat()
    agent.turn()
    assert ran == [early, late]


def test_a_calendar_that_fails_once_is_asked_again() -> None:
    """An exception in one beat does not starve the later ones."""
    answers, ran = [ZeroDivisionError(), {"night": opening("night")}], list[Occurrence]()

    def calendar() -> dict[str, Occurrence]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    agent = Agent(calendar, ran.append)
    agent.beat()
    agent.beat()
    agent.turn()
    assert ran == [opening("night")]


def test_it_rests_no_longer_than_a_beat() -> None:
    """The rest between two turns is bounded, so that a stop is noticed soon."""
    assert 0 <= Agent(dict, lambda _occurrence: None).turn() <= 30
