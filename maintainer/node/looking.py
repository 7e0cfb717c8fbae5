"""Answer the questions of one look, one after another: what becomes of one is its own, and hides no other."""

from maintainer.node.deadline import Deadline
from maintainer.node.envelope import DeadlinePassed, Trouble


def look(fields, answer):
    """Pairs of program and what became of it: `answer` is asked for each question as if it stood alone."""
    deadline = Deadline(fields["deadline_seconds"])
    questions, outcomes = fields["questions"], []
    deadline.enforce()
    try:
        for question in questions:
            outcomes.append((question["program"], _outcome(dict(fields, **question), answer, deadline)))
            if deadline.rang():
                break
    except DeadlinePassed:
        pass  # it rang between two of them
    finally:
        deadline.release()
    late = DeadlinePassed("the time given for this look was over before this was looked at", "give it more time")
    return outcomes + [(question["program"], late) for question in questions[len(outcomes) :]]


def _outcome(fields, answer, deadline):
    try:
        return answer(fields, deadline)
    except Trouble as trouble:
        return trouble
