"""A session of the clinic's that wants something of the database while a statement of ours runs."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from maintainer.model.action import Setting
from tests.contract.links.postgres_server import Postgres

PLENTY = timedelta(seconds=60)
SLOWLY: dict[Setting, int | str] = {"vacuum_cost_delay": 100, "vacuum_cost_limit": 1}
UNFINISHED = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"


class Clinic(threading.Thread):
    """A session that does one thing some time later, and notes how long it took."""

    def __init__(self, postgres: Postgres, statement: str, *, name: str = "Orthanc", after: float = 1.0) -> None:
        super().__init__()
        self.seconds = 0.0
        self._postgres, self._statement, self._name, self._after = postgres, statement, name, after

    def run(self) -> None:
        time.sleep(self._after)
        with self._postgres.session(name=self._name) as session:
            session.autocommit = "CONCURRENTLY" in self._statement  # it refuses to run in a transaction block
            begun = time.monotonic()
            session.execute(self._statement.encode())
            self.seconds = time.monotonic() - begun


@contextmanager
def at_work(clinic: Clinic) -> Iterator[None]:
    clinic.start()
    try:
        yield
    finally:
        clinic.join()
