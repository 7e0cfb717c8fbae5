"""The PACS database, reached through the SSH connection: the session that acts, and gives way to whoever waits."""

import contextlib
import re
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import psycopg
from pydantic import JsonValue

from maintainer.errors import ActionFailed, GaveWay, MaintainerError
from maintainer.links import sqlstate
from maintainer.links.postgres_leftovers import Rebuild, rebuilt_index
from maintainer.links.postgres_session import FOR_ALL, LOCK_WITHIN, Session, explained, milliseconds, set_known
from maintainer.links.postgres_wal import WalMeter
from maintainer.links.postgres_watch import Watch, WatchingSession
from maintainer.model.action import Setting
from maintainer.model.progress import Tell, to_nobody

_CONCURRENTLY = re.compile(r"\s*(?:REINDEX|CREATE|DROP)\b[^\"';]*\bCONCURRENTLY\b", re.IGNORECASE)
_TO_TIDY_UP = timedelta(seconds=10)
"""Kept of a rebuild's time, to drop what it has built when it does not end; a tenth of it at most."""
NO_SETTINGS: Mapping[Setting, int | str] = MappingProxyType({})


class ActingSession(Session):
    """For steps: one statement at a time, outside any transaction block, watched by a session beside it."""

    _watching: WatchingSession | None = None

    def close(self) -> None:
        if self._watching is not None:
            self._watching.close()
        super().close()

    @contextlib.contextmanager
    def counting_wal(self) -> Iterator[dict[str, JsonValue]]:
        """Fill a mapping with what `WalMeter` tells of the statements within."""
        told: dict[str, JsonValue] = {}
        meter = WalMeter(self._connection)
        yield told
        with self.no_longer_than(LOCK_WITHIN):
            told.update(meter.told())

    def perform(
        self,
        text: str,
        timeout: timedelta,
        settings: Mapping[Setting, int | str] = NO_SETTINGS,
        tell: Tell = to_nobody,
    ) -> dict[str, Any]:
        """Run one statement, with settings of its own; answers how many seconds it took and how many notices came.

        Raises:
            GaveWay: somebody waited for it, or it did not get a lock in time: it was cancelled.
            ActionFailed: the server says that it did not succeed.
            CouldNotLook: nobody could have watched it, so that it was not sent.
            LinkLost: the connection broke, so that nobody knows.
        """
        begun = time.monotonic()
        with self._remarks() as remarks:
            self._send(text, timeout, settings, self._watch(text, tell))
        if sqlstate.LOCK_NOT_AVAILABLE in remarks:
            what, hint = sqlstate.sentence(sqlstate.LOCK_NOT_AVAILABLE, self.node, self._database)
            raise GaveWay(f"{what}, and a table was skipped", where=self.node, hint=hint)
        return {"seconds": round(time.monotonic() - begun, 3), "notices": len(remarks)}

    def _watch(self, text: str, tell: Tell) -> Watch:
        if self._watching is None or not self._watching.alive():
            self._watching = WatchingSession(self._tunnel, self._database, self._run)
        return Watch(self._watching, self._connection.info.backend_pid, text, tell, self.cancel)

    def _send(self, text: str, timeout: timedelta, settings: Mapping[Setting, int | str], watch: Watch) -> None:
        kept = min(_TO_TIDY_UP, timeout / 10) if rebuilt_index(text) else timedelta(0)
        rebuild: Rebuild | None = None
        try:
            with self.no_longer_than(timeout - kept):
                self._limit(text, timeout - kept, settings)
                rebuild = Rebuild.announced(text, self._connection)
                with watch:
                    # Binary results mean the extended protocol: one statement only, none smuggled in behind it.
                    self._connection.execute(text.encode(), binary=True)
        except psycopg.Error as error:
            if lost := self.lost(error):
                raise lost from None
            failure = self._failure(error, watch.gave_way)
            failure.what += self._tidied_up(rebuild, kept) if rebuild else ""
            raise failure from None

    def _limit(self, text: str, timeout: timedelta, settings: Mapping[Setting, int | str]) -> None:
        # Building an index concurrently waits for older snapshots under lock_timeout; who waits for it, the watch sees.
        lock = timedelta(0) if _CONCURRENTLY.match(text) else LOCK_WITHIN
        chosen: dict[str, str] = {name: str(value) for name, value in settings.items()}
        limits = {"statement_timeout": milliseconds(timeout), "lock_timeout": milliseconds(lock)}
        set_known(self._connection, chosen | FOR_ALL | limits)

    def _failure(self, error: psycopg.Error, gave_way: str) -> MaintainerError:
        if gave_way and isinstance(error, psycopg.errors.QueryCanceled):
            return GaveWay(gave_way, where=self.node)
        return explained(GaveWay if error.sqlstate in GIVING_WAY else ActionFailed, error, self.node, self._database)

    def _tidied_up(self, rebuild: Rebuild, within: timedelta) -> str:
        """Drop what the rebuild has left, and say so."""
        try:
            names = rebuild.left(self._connection)
            for name in names:
                text = f"DROP INDEX CONCURRENTLY IF EXISTS {name}"
                self._limit(text, within, NO_SETTINGS)
                with self.no_longer_than(within), self._watch(text, to_nobody):
                    self._connection.execute(text.encode(), binary=True)
        except (psycopg.Error, MaintainerError):
            return "; what it had built may lie there, unfinished: the next run finds it"
        return f"; what it had built was dropped: {', '.join(names)}" if names else ""

    @contextlib.contextmanager
    def _remarks(self) -> Iterator[list[str | None]]:
        """Collect the SQLSTATE of what the server remarks; its text is not kept, for it may hold values of rows."""
        remarks: list[str | None] = []

        def remark(diagnostic: psycopg.errors.Diagnostic) -> None:
            remarks.append(diagnostic.sqlstate)

        self._connection.add_notice_handler(remark)
        try:
            yield remarks
        finally:
            self._connection.remove_notice_handler(remark)


GIVING_WAY = frozenset({sqlstate.LOCK_NOT_AVAILABLE, "40P01"})
"""Codes of a statement that stood back for others: by lock_timeout, or to resolve a deadlock."""
