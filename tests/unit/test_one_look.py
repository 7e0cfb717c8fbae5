"""One look at a node: the questions for its program in one request, nothing twice, nothing remembered afterwards."""

from datetime import timedelta
from pathlib import Path

import pytest

from maintainer.errors import CouldNotLook
from maintainer.model.task import NodeQuery, Probe, SqlQuery
from maintainer.running.observe import OneLook
from tests.fakes.fake_fleet import NOW, FakeNode
from tests.unit.engine_bench import one_node

SERVICES, CLEANUP, UNKNOWN = (NodeQuery(program=name, request={}) for name in ("services", "cleanup", "no-such"))
QUERY = SqlQuery(text="SELECT 1")
ALIVE = Probe(by="select-1")


def test_what_is_planned_travels_with_the_first_question_for_the_node() -> None:
    """The database is asked by itself and at its turn; the node's program is asked once for all."""
    node = FakeNode()
    look = OneLook(node, [SERVICES, QUERY, CLEANUP, UNKNOWN], lambda: NOW)
    look.observe(QUERY)
    look.observe(CLEANUP)
    look.observe(SERVICES)
    assert node.requests == [[QUERY], [CLEANUP, SERVICES, UNKNOWN]]


def test_what_two_tasks_ask_alike_is_asked_once() -> None:
    """Equal questions have one answer, whichever kind they are; other ones have their own."""
    node = FakeNode()
    look = OneLook(node, [SERVICES, SERVICES], lambda: NOW)
    for _ in range(2):
        for question in (SERVICES, QUERY, ALIVE):
            assert look.observe(question) == node.observe(question.model_copy())
    assert node.requests == [[SERVICES], [QUERY], [ALIVE]]


def test_the_trouble_of_one_question_is_its_own() -> None:
    """A question without an answer says why each time it is asked, and the others are answered."""
    node = FakeNode()
    look = OneLook(node, [UNKNOWN, SERVICES], lambda: NOW)
    for _ in range(2):
        with pytest.raises(CouldNotLook, match="no such program"):
            look.observe(UNKNOWN)
    assert look.observe(SERVICES) == node.observe(SERVICES)
    assert len(node.requests) == 1


def test_several_at_once_are_answered_in_their_order() -> None:
    """Some of them known, some new, one of them troubled."""
    node = FakeNode()
    look = OneLook(node, [], lambda: NOW)
    services = look.observe(SERVICES)
    first, trouble, third = look.together([CLEANUP, UNKNOWN, SERVICES])
    assert (first, third) == (node.observe(CLEANUP), services)
    assert isinstance(trouble, CouldNotLook)
    assert node.requests == [[SERVICES], [CLEANUP, UNKNOWN]]


def test_a_dry_run_starts_the_nodes_program_once(tmp_path: Path) -> None:
    """Whatever tasks a node has, their questions for its program are one request."""
    node = FakeNode()
    one_node(tmp_path, node, tasks=["service-restart", "db-vacuum", "disk-cleanup"]).plan()
    programs = [[one.program for one in asked if isinstance(one, NodeQuery)] for asked in node.requests]
    assert [asked for asked in programs if asked] == [["services", "processes", "cleanup"]]
    queries = [one for asked in node.requests for one in asked if isinstance(one, SqlQuery)]
    assert len(queries) == len({query.text for query in queries}) == 4


def test_a_run_looks_anew_for_each_task(tmp_path: Path) -> None:
    """What an earlier task's steps have changed is seen by the next one: nothing is answered from before."""
    node = FakeNode()

    def fill_up(found: FakeNode) -> None:
        if len(found.requests) > 2:
            found.old_files = 3

    node.when_looked_at = fill_up
    report = one_node(tmp_path, node, tasks=["service-restart", "disk-cleanup"]).run()
    assert [task.answer.kind for task in report.tasks] == ["nothing", "steps"]


def test_an_age_is_that_of_the_moment_when_it_was_asked(tmp_path: Path) -> None:
    """Another task's questions to the database take a day here, and the archive does not grow older by that."""
    node = FakeNode(archive_started=NOW - timedelta(days=29, hours=12))
    night = one_node(tmp_path, node, tasks=["disk-cleanup", "db-vacuum", "service-restart"])

    def take_a_day(found: FakeNode) -> None:
        if isinstance(found.requests[-1][0], SqlQuery):
            night.now = NOW + timedelta(days=1)

    node.when_looked_at = take_a_day
    assert [entry.answer.kind for entry in night.plan().entries] == ["nothing"] * 3
    assert night.now > NOW
    assert [entry.answer.kind for entry in night.plan().entries] == ["nothing", "nothing", "steps"]


def test_what_nobody_will_ask_for_any_more_is_let_go() -> None:
    """The rows of a query may be many; what a later task asks is still asked once."""
    node, later = FakeNode(), SqlQuery(text="SELECT 2")
    look = OneLook(node, [], lambda: NOW)
    for question in (QUERY, later, SERVICES):
        look.observe(question)
    look.forget_rows([later])
    for question in (later, SERVICES, QUERY):
        look.observe(question)
    assert node.requests == [[QUERY], [later], [SERVICES], [QUERY]]
