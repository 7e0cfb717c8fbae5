"""From answers to facts, and when there is nothing to decide: the same functions in a dry run and in a run."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import JsonValue, ValidationError

from maintainer.model.plan import Nothing, Unseen
from maintainer.model.task import AnyTask, Facts, Params
from maintainer.model.values import write_duration


def facts_of(
    task: AnyTask, answers: Mapping[str, JsonValue], observed_at: datetime, asked_at: datetime | None = None
) -> Facts | Unseen:
    """Take what was answered for what the task knows. Answers of another shape than its facts are `Unseen`."""
    try:
        facts: Facts = task.facts.model_validate({**answers, "observed_at": observed_at, "asked_at": asked_at})
    except ValidationError as error:
        places = sorted({".".join(map(str, problem["loc"])) for problem in error.errors(include_input=False)})
        return Unseen(
            because=f"the node answered in another form than expected ({', '.join(places[:5])})",
            hint="check that the node's program, PostgreSQL and archive are of the versions that the README lists",
        )
    return facts


def resting(params: Params, last_looked: datetime | None, now: datetime) -> Nothing | None:
    """Leave a task alone until `every` has passed since it last ended well."""
    if params.every is None or last_looked is None or now - last_looked >= params.every:
        return None
    return Nothing(
        because=f"done on {last_looked:%Y-%m-%d %H:%M} UTC, due again {write_duration(params.every)} after that"
    )
