"""Plan files: what a person approves by day is what may run at night."""

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from pydantic import JsonValue, TypeAdapter, ValidationError

from maintainer.errors import PlanFileError, UsageError
from maintainer.model.plan import Plan

AT_MOST = 64_000_000
NEW_ONE = "make a new one with `maintainer plan --out FILE`, read it, and run that"
_DOCUMENT = TypeAdapter(dict[str, JsonValue])


def check_place(path: Path) -> None:
    """See that a plan can be written there, before an hour of looking.

    Raises:
        UsageError: it cannot.
    """
    if path.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(
            "cannot write the plan there", where=str(path), hint="name a file in a folder of yours with --out"
        )


def write_plan(plan: Plan, path: Path) -> None:
    """Write a plan with its digest, readable by its owner alone; a file that was there is replaced as a whole.

    Raises:
        UsageError: the file cannot be written there.
    """
    document = {**plan.model_dump(mode="json", by_alias=True), "digest": plan.digest()}
    # A name that nobody can foresee, never opened through a link: plans are written to /tmp by root.
    partial = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(_DOCUMENT.dump_json(document, indent=1) + b"\n")
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise UsageError(
            f"cannot write the plan: {error.strerror}", where=str(path), hint="name another file with --out"
        ) from error


def read_plan(path: Path, *, site: str, inventory: str, now: datetime) -> Plan:
    """Read a plan file and see that it may still be used: whole, for this site and inventory, and not expired.

    Raises:
        UsageError: there is no such file.
        PlanFileError: it is not what was approved, or not for here and now.
    """
    plan, digest = _parse(path, _read(path))
    doubts = (
        (plan.digest() != digest, "was changed after it was made: its digest does not fit its steps"),
        (plan.site != site, f"is for the site {plan.site}, and this is {site}"),
        (plan.inventory != inventory, "was made from another inventory, or the inventory was edited since"),
        (now >= plan.expires_at, f"expired at {plan.expires_at:%Y-%m-%d %H:%M} UTC"),
        (plan.made_at > now, f"is from the future ({plan.made_at:%Y-%m-%d %H:%M} UTC): a clock was wrong"),
    )
    for doubtful, what in doubts:
        if doubtful:
            raise PlanFileError(f"the plan {what}", where=str(path), hint=NEW_ONE)
    return plan


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(AT_MOST + 1)
    except OSError as error:
        raise UsageError(
            f"cannot read the plan: {error.strerror}", where=str(path), hint="see the path, or " + NEW_ONE
        ) from error
    if len(data) > AT_MOST:
        raise PlanFileError("this is too large to be a plan", where=str(path), hint=NEW_ONE)
    return data


def _parse(path: Path, data: bytes) -> tuple[Plan, str]:
    try:
        document = _DOCUMENT.validate_json(data)
        digest = document.pop("digest", None)
        plan = Plan.model_validate_json(_DOCUMENT.dump_json(document))
    except (ValidationError, RecursionError) as error:
        raise PlanFileError(
            "this is not a plan of this version of maintainer", where=str(path), hint=NEW_ONE
        ) from error
    return plan, str(digest)
