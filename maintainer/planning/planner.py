"""From answers to a decision: the same function in a dry run and in a run."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import JsonValue, ValidationError

from maintainer.model.inventory import Node
from maintainer.model.plan import Answer, Nothing, Unseen
from maintainer.model.task import AnyTask, Params
from maintainer.model.values import write_duration


def decide(
    task: AnyTask,
    node: Node,
    params: Params,
    answers: Mapping[str, JsonValue],
    observed_at: datetime,
    *,
    asked_at: datetime | None = None,
) -> Answer:
    """Let a task decide about what was seen. Answers of another shape than the task's facts are `Unseen`."""
    try:
        facts = task.facts.model_validate({**answers, "observed_at": observed_at, "asked_at": asked_at})
    except ValidationError as error:
        places = sorted({".".join(map(str, problem["loc"])) for problem in error.errors(include_input=False)})
        return Unseen(
            because=f"the node answered in another form than expected ({', '.join(places[:5])})",
            hint="check that the node's program, PostgreSQL and archive are of the versions that the README lists",
        )
    answer: Answer = task.plan(node, params, facts)
    return answer


def resting(params: Params, last_looked: datetime | None, now: datetime) -> Nothing | None:
    """Leave a task alone until `every` has passed since it last ended well."""
    if params.every is None or last_looked is None or now - last_looked >= params.every:
        return None
    return Nothing(
        because=f"done on {last_looked:%Y-%m-%d %H:%M} UTC, due again {write_duration(params.every)} after that"
    )
