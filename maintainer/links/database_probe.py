"""Whether a database serves: asked as a client would that comes now."""

import contextlib
import time
from datetime import timedelta
from typing import NamedTuple

from maintainer.errors import LinkLost
from maintainer.links.postgres import ReadingSession
from maintainer.links.ssh import NoAnswer
from maintainer.links.tunnel import Tunnel
from maintainer.model.inventory import Database


class Probed(NamedTuple):
    """`why` says what was wrong, and is empty when the database answered; then the session stands."""

    why: str
    seconds: float
    session: ReadingSession | None


def probe_database(tunnel: Tunnel, database: Database, run: str, timeout: timedelta) -> Probed:
    """Log in and ask `SELECT 1`, as a client would that comes now.

    Raises:
        CouldNotLook: the database could not be asked: no way to it, or the password cannot be read.
    """
    begun = time.monotonic()
    try:
        with contextlib.ExitStack() as unless_it_answers:
            session = unless_it_answers.enter_context(ReadingSession(tunnel, database, run, connect_within=timeout))
            session.rows("SELECT 1 AS one", {}, timeout)
            unless_it_answers.pop_all()
    except (NoAnswer, LinkLost) as error:
        if not tunnel.link.alive():
            raise
        return Probed(error.what, time.monotonic() - begun, None)
    return Probed("", time.monotonic() - begun, session)
