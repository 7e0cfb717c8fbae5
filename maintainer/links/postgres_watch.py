"""Beside a statement of ours: seeing whom it keeps waiting, ending it for their sake, telling how far it is.

Source: PostgreSQL manual, 9.27 `pg_blocking_pids`, 9.28 `pg_cancel_backend`, 27.4 "Progress Reporting".
"""

import contextlib
import contextvars
import re
import threading
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from types import TracebackType
from typing import NamedTuple, Self

import psycopg

from maintainer.links.alarms import ALARMS
from maintainer.links.postgres_session import Session
from maintainer.model.progress import Progress, Tell

EVERY = 0.2
"""Seconds between two looks."""
PATIENCE = 0.5
"""Seconds that somebody may wait for us."""
BLIND = 5.0
"""Seconds for which a statement may run on when nobody can see whom it keeps waiting."""
TOLD_EVERY = 1.0
_ENDS_WITHIN = 2.0

NOT_THE_CLINIC = frozenset({"autovacuum worker", "background"})
"""Who may wait for us: vacuuming is what we do ourselves. `background`: of no user, and we may not see what it is."""
_PLAIN = re.compile(r"[A-Za-z0-9 ._:/()+\-]{1,63}")

PROGRESS = {"VACUUM": ("vacuum", "analyze"), "ANALYZE": ("analyze",), "REINDEX": ("create_index",)}


def _sql(name: str) -> bytes:
    return files("maintainer.links").joinpath("sql", name).read_text("utf-8").encode()


WAITING = _sql("waiting.sql")
_VIEWS = {view: _sql(f"progress_{view}.sql") for view in ("vacuum", "analyze", "create_index")}


class Waiting(NamedTuple):
    """A session that waits for ours. `seconds` is None where the server does not say since when."""

    pid: int
    name: str
    kind: str
    seconds: float | None


class WatchingSession(Session):
    """Looks at another session of the same role, each time in one message, and can cancel what it does."""

    _options = "-c default_transaction_read_only=on -c statement_timeout=2s -c lock_timeout=1s"

    def waiting_for(self, pid: int) -> list[Waiting]:
        """Find who of the clinic waits for it."""
        rows = self._connection.execute(WAITING, {"pid": pid}).fetchall()
        return [Waiting(**row) for row in rows if row["kind"] not in NOT_THE_CLINIC]

    def progress(self, pid: int, view: str) -> Progress | None:
        row = self._connection.execute(_VIEWS[view], {"pid": pid}).fetchone()
        if row is None:
            return None
        known = row["total"] and row["done"] is not None
        return Progress(row["phase"], min(1.0, row["done"] / row["total"]) if known else None)

    @contextlib.contextmanager
    def answering_within(self, seconds: float) -> Iterator[None]:
        """End the connection when its server, which should keep the limit by itself, gives no answer in time."""
        with ALARMS.unless_done_in(seconds, self.hang_up):
            yield

    def cancel_backend(self, pid: int) -> None:
        """Faster than a new connection for the purpose, over a slow line."""
        self._connection.execute("SELECT pg_catalog.pg_cancel_backend(%s)", [pid])


class Watch:
    """Looks while its context lasts. `gave_way` says, once it has cancelled the statement, for whom."""

    def __init__(
        self, session: WatchingSession, pid: int, statement: str, tell: Tell, cancel: Callable[[], None]
    ) -> None:
        self.gave_way = ""
        self._session, self._pid, self._tell, self._cancel = session, pid, tell, cancel
        self._views = PROGRESS.get(statement.split(maxsplit=1)[0].upper(), ())
        self._ended = threading.Event()
        self._looked_at = self._told_at = time.monotonic()
        self._since: dict[int, float] = {}
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=[self._watch], name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if isinstance(error, psycopg.Error) and error.sqlstate is None:
            # The server fell silent, and would keep us waiting here too.
            self._session.hang_up()
        self._thread.join(_ENDS_WITHIN)
        if self._thread.is_alive():
            self._session.hang_up()
            self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(EVERY):
            try:
                with self._session.answering_within(BLIND):
                    self._look()
            except Exception as error:  # noqa: BLE001 (whatever it is, nobody watches)
                self._stop_if_blind(type(error).__name__)

    def _stop_if_blind(self, why: str) -> None:
        """A look may fail once, as on a server that is slow to answer; a session that is lost sees nothing any more."""
        blind = time.monotonic() - self._looked_at
        if blind > BLIND or not self._session.alive():
            self.gave_way = f"it was cancelled: for {blind:.0f} s nobody could see whom it kept waiting ({why})"
            self._cancel()

    def _look(self) -> None:
        waiting = self._session.waiting_for(self._pid)
        now = time.monotonic()
        longest = max((self._seconds(one, now) for one in waiting), default=0.0)
        self._since = {one.pid: self._since.get(one.pid, self._looked_at) for one in waiting}
        self._looked_at = now
        if longest >= PATIENCE:
            self.gave_way = self.gave_way or f"it was cancelled: it kept {_told(waiting)} waiting for {longest:.1f} s"
            self._session.cancel_backend(self._pid)
        elif self._views and now - self._told_at >= TOLD_EVERY:
            self._told_at = now
            self._tell_progress()

    def _seconds(self, one: Waiting, now: float) -> float:
        """Where the server does not say it, since the last look that did not see it wait: rather too long."""
        return now - self._since.get(one.pid, self._looked_at) if one.seconds is None else one.seconds

    def _tell_progress(self) -> None:
        """A view that this version does not have tells nothing; the statement goes on."""
        with contextlib.suppress(psycopg.ProgrammingError):
            found = (self._session.progress(self._pid, view) for view in self._views)
            progress = next((one for one in found if one is not None), None)
            if progress is not None:
                self._tell(progress)


def _told(waiting: list[Waiting]) -> str:
    """Say who they are, by what they call themselves.

    >>> _told([Waiting(7, "Orthanc", "client backend", 0.6), Waiting(8, "DOE^JANE", "client backend", 0.6)])
    'Orthanc (client backend) and 1 more'
    >>> _told([Waiting(8, "DOE^JANE", "walsender", 0.6)])
    'a session (walsender)'
    """
    first = waiting[0]
    name = first.name if _PLAIN.fullmatch(first.name) else "a session"
    more = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
    return f"{name} ({first.kind}){more}"
