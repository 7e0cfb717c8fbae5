"""How the clinic's statements fare while one of ours runs, as far as its server counts them.

Source: PostgreSQL manual, "pg_stat_statements".
"""

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import structlog
from pydantic import JsonValue

from maintainer.errors import CouldNotLook
from maintainer.planning.database import quoted
from maintainer.planning.slowdown import SCHEMA, STATEMENTS, Timing, slowdown

Rows = Callable[[str, dict[str, Any], timedelta], list[dict[str, Any]]]
LOG = structlog.get_logger(__name__)
WITHIN = timedelta(seconds=10)
AT_LEAST, STALE = 5.0, 60.0
"""Seconds between two readings that are compared: what is shorter counts with the statement that comes next."""


class Clinic:
    """Two readings, before and after. Where there is nothing to be read, that is told, and nothing is guessed."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._statement = self._unknown = ""
        self._before: Mapping[str, Timing] = {}
        self._at = 0.0

    def begins(self) -> None:
        """Before a statement of ours."""
        if not self._unknown and (not self._before or time.monotonic() - self._at > STALE):
            self._read()

    def told(self) -> dict[str, JsonValue]:
        """After it: by how much the clinic's were slower, nothing when they were not, or why nobody knows."""
        before, since = self._before, time.monotonic() - self._at
        if not self._unknown and since >= AT_LEAST:
            self._read()
            if slower := slowdown(before, self._before):
                return {"clinic_slower_times": slower.times, "clinic_calls": slower.calls}
        return {"clinic_unknown": self._unknown} if self._unknown else {}

    def _read(self) -> None:
        try:
            self._statement = self._statement or self._found()
            if self._statement:
                self._before = {row.pop("key"): Timing(**row) for row in self._rows(self._statement, {}, WITHIN)}
                self._at = time.monotonic()
        except CouldNotLook as error:
            LOG.debug("statistics of statements not read", reason=error.what)
            self._unknown = "pg_stat_statements cannot be read: is it in shared_preload_libraries?"

    def _found(self) -> str:
        found = self._rows(SCHEMA, {}, WITHIN)
        if not found:
            self._unknown = "pg_stat_statements is not in this database"
        elif not found[0]["permitted"]:
            self._unknown = "the role may not see pg_stat_statements: GRANT pg_read_all_stats, USAGE ON SCHEMA"
        else:
            return STATEMENTS.replace("{schema}", quoted(found[0]["schema"]))
        return ""
