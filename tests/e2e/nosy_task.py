"""Tasks of a third party, which make the two mistakes that a task can make with what it has seen."""

from collections.abc import Mapping
from typing import Any, ClassVar

from maintainer import sdk

PATIENT = sdk.SqlQuery(text="SELECT patient FROM letters ORDER BY pk LIMIT 1")


class Row(sdk.Seen):
    patient: str


class SeenRow(sdk.Facts):
    rows: tuple[Row, ...]


class Number(sdk.Seen):
    patient: int


class SeenNumber(sdk.Facts):
    rows: tuple[Number, ...]


class Nosy(sdk.Task[sdk.Params, Any]):
    """Stumbles over a row, and quotes it in its error."""

    name = "nosy"
    roles = frozenset({sdk.Role.DATABASE})
    params = sdk.Params
    facts: ClassVar[type[Any]] = SeenRow

    def observe(self, node: sdk.Node, params: sdk.Params) -> Mapping[str, sdk.Observation]:  # noqa: ARG002 (the engine's signature)
        return {"rows": PATIENT}

    def plan(self, node: sdk.Node, params: sdk.Params, facts: Any) -> sdk.Decision:  # noqa: ARG002 (the engine's signature)
        about = facts.rows[0].patient
        raise ValueError(f"what is one to do about {about}?")


class Wrong(Nosy):
    """Takes a name for a number."""

    name = "wrong"
    facts = SeenNumber
