"""Looking at nodes: what a dry run does, and what a run does before and after every step."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import structlog
from pydantic import JsonValue

from maintainer.errors import CouldNotLook, LinkLost, MaintainerError, NodeUnreachable
from maintainer.model.finding import Finding
from maintainer.model.inventory import Inventory
from maintainer.model.plan import Answer, Unseen
from maintainer.model.task import AnyTask, Assignment, Observation, Openings, Question, SqlQuery, asks_the_node
from maintainer.planning.calendar import occurrences
from maintainer.planning.planner import facts_of
from maintainer.running.accepted import with_accepted
from maintainer.running.acknowledged import Acknowledgements
from maintainer.running.ports import Namer, Observer
from maintainer.running.recalled_copies import RecalledCopies

LOG = structlog.get_logger(__name__)

Clock = Callable[[], datetime]


class Eyes(NamedTuple):
    """What it takes to turn an assignment into an answer."""

    inventory: Inventory
    tasks: Mapping[str, AnyTask]
    names: Namer
    clock: Clock
    acknowledged: Acknowledgements = Acknowledgements()
    copies: RecalledCopies | None = None
    """Says where good copies of what is damaged are; that of a run asks the partners."""

    def look(self, assignment: Assignment, observer: Observer) -> Answer:
        """Observe what the task declares and let it decide. What cannot be seen is `Unseen`, never "nothing"."""
        return next(self.look_at_all([assignment], observer))

    def look_at_all(self, assignments: Sequence[Assignment], observer: Observer) -> Iterator[Answer]:
        """Look for several tasks of one node, as of one moment: nothing may be done there before the last answer."""
        planned = [self._observations(each) for each in assignments]
        one_look = OneLook(observer, [one for each in planned for one in each], self.clock)
        for position, assignment in enumerate(assignments, start=1):
            yield self._look(assignment, one_look)
            one_look.forget_rows([one for each in planned[position:] for one in each])

    def _observations(self, assignment: Assignment) -> tuple[Observation, ...]:
        """What a task will ask; nothing of one that is broken, which says so when its turn comes."""
        with contextlib.suppress(Exception):
            node = self.inventory.nodes[assignment.node]
            asked = self.tasks[assignment.task].observe(node, assignment.params).values()
            return tuple(one for one in asked if not isinstance(one, Openings))
        return ()

    def _look(self, assignment: Assignment, one_look: "OneLook") -> Answer:
        try:
            answer = self._answer(assignment, one_look)
        except CouldNotLook as error:
            return Unseen(because=error.said_of(assignment.node), hint=error.hint)
        except MaintainerError:
            raise
        except Exception as error:
            # A mistake in one task must not cost the node's other tasks their night.
            LOG.exception("internal error", node=assignment.node, task=assignment.task)
            return broken_off(error)
        findings = map(self._without_patient, answer.findings)
        mark = self.acknowledged.mark
        told = tuple(mark(assignment.node, assignment.task, one, self.clock()) for one in findings)
        if self.copies is not None:
            told = self.copies.added_to(told, assignment, one_look)
        return with_accepted(answer.model_copy(update={"findings": told}), told)

    def _answer(self, assignment: Assignment, one_look: "OneLook") -> Answer:
        task, node = self.tasks[assignment.task], self.inventory.nodes[assignment.node]
        params, asked_at = assignment.params, assignment.asked_at
        asked = dict(task.observe(node, params))
        answers = {fact: self._ask(question, assignment, one_look) for fact, question in asked.items()}
        facts = facts_of(task, answers, one_look.as_of(asked.values()), asked_at)
        if isinstance(facts, Unseen):
            return facts
        while more := _not_among(asked, task.observe_more(node, params, facts)):
            asked |= more
            answers |= self._had_of(more, assignment, one_look)
            facts = facts_of(task, answers, one_look.as_of(asked.values()), asked_at)
            if isinstance(facts, Unseen):
                return facts
        return task.plan(node, params, facts)

    def _ask(self, question: Question, assignment: Assignment, one_look: "OneLook") -> JsonValue:
        if isinstance(question, Openings):
            return self._openings(assignment, question)
        return one_look.observe(question)

    def _had_of(
        self, more: Mapping[str, Question], assignment: Assignment, one_look: "OneLook"
    ) -> Iterator[tuple[str, JsonValue]]:
        """What can be told of that; a node that is out of reach by now has told nothing at all."""
        for fact, question in more.items():
            try:
                yield fact, self._ask(question, assignment, one_look)
            except (LinkLost, NodeUnreachable):
                raise
            except CouldNotLook as error:
                LOG.warning("cannot tell", node=assignment.node, task=assignment.task, fact=fact, because=str(error))

    def _openings(self, assignment: Assignment, asked: Openings) -> JsonValue:
        name, now = assignment.params.window, self.clock()
        found = occurrences(name, self.inventory.windows[name], self.inventory.site, now, now + asked.within)
        return [{"opens": one.opens.isoformat(), "closes": one.closes.isoformat()} for one in found]

    def _without_patient(self, finding: Finding) -> Finding:
        """Replace what names a patient's object by a keyed hash, before anything is shown or logged."""
        if not finding.private:
            return finding
        return finding.model_copy(update={"subject": self.names.of("object", finding.subject), "private": False})


class OneLook:
    """One look at one node: nothing is asked twice, and what its program is asked travels in one request.

    Nothing is remembered beyond it: whoever wants to know how things stand now takes another look.
    """

    def __init__(self, observer: Observer, planned: Iterable[Observation], clock: Clock) -> None:
        self._observer, self._clock = observer, clock
        self._planned = [one for one in planned if asks_the_node(one)]
        self._seen: list[tuple[Observation, JsonValue | CouldNotLook, datetime]] = []

    def observe(self, observation: Observation) -> JsonValue:
        """Answer as the node's observer would.

        Raises:
            CouldNotLook: there was no answer.
        """
        (answer,) = self.together([observation])
        if isinstance(answer, CouldNotLook):
            raise answer.with_traceback(None)
        return answer

    def together(self, observations: Sequence[Observation]) -> list[JsonValue | CouldNotLook]:
        """Answer several; the first that asks the node's program brings the planned ones with it."""
        wanted = [*observations, *(self._planned if any(map(asks_the_node, observations)) else ())]
        new: list[Observation] = []
        for one in wanted:
            if self._answer(one) is _NOT_ASKED and one not in new:
                new.append(one)
        if new:
            answers, at = self._observer.together(new), self._clock()
            self._seen += [(one, answer, at) for one, answer in zip(new, answers, strict=True)]
        return [self._answer(one) for one in observations]

    def forget_rows(self, wanted: Sequence[Observation]) -> None:
        """Let go of what queries answered that nobody will ask for any more: it may be much."""
        self._seen = [each for each in self._seen if not isinstance(each[0], SqlQuery) or each[0] in wanted]

    def as_of(self, questions: Iterable[Question]) -> datetime:
        """When the oldest of the answers to these was had: much may have been asked since, for other tasks."""
        asked = list(questions)
        return min((at for one, _, at in self._seen if one in asked), default=self._clock())

    def _answer(self, observation: Observation) -> Any:
        return next((answer for one, answer, _ in self._seen if one == observation), _NOT_ASKED)


def _not_among(asked: Mapping[str, Question], more: Mapping[str, Question]) -> dict[str, Question]:
    return {fact: question for fact, question in more.items() if fact not in asked}


_NOT_ASKED = object()


def broken_off(error: Exception) -> Unseen:
    """Report a mistake of ours as what it is: something that could not be found out."""
    return Unseen(because=f"internal error ({type(error).__name__})", hint="please report it with the program's log")
