"""The PACS database, reached through the SSH connection: the session that reads relations whole, for damage.

It gives way as the one that acts does: reading, too, holds a lock for whose end a change of the table must wait.
Source: PostgreSQL manual, "amcheck"; appendix A "PostgreSQL Error Codes".
"""

from datetime import timedelta

import psycopg

from maintainer.errors import ActionFailed, MaintainerError
from maintainer.links.postgres_acting import ActingSession
from maintainer.model.action import Damage

_FOUND = {"XX001": Damage.UNREADABLE, "XX002": Damage.INCONSISTENT, "58030": Damage.UNREADABLE}
"""data_corrupted: a page does not fit its checksum, or a table its own rules; index_corrupted; io_error: the disk does
not give a page back. A file that is gone may as well be amcheck's own: that tells nothing of the relation."""
_TROUBLE = ("53", "57")
"""Classes of errors that any other relation would meet as well: resources, intervention."""


class Damaged(ActionFailed):
    """The relation is not sound."""

    damage = Damage.NONE


class SaysNothing(ActionFailed):
    """The statement did not get as far as to tell: it was cancelled or refused."""


class InTrouble(ActionFailed):
    """The server has troubles of its own, and would not tell of the next relation either."""


class CheckingSession(ActingSession):
    """Runs statements that fail when a relation is damaged. Nothing can be written."""

    _options = "-c default_transaction_read_only=on"

    def check(self, text: str, timeout: timedelta) -> Damage:
        """Run one such statement, watched as any other.

        Raises:
            GaveWay: somebody waited for it, or it did not get a lock in time.
            SaysNothing: it did not end well, for whatever reason of its own.
            InTrouble: the server can do nothing of the kind now.
            LinkLost: the connection broke.
            CouldNotLook: nobody could have watched it.
        """
        try:
            self.perform(text, timeout)
        except Damaged as error:
            return error.damage
        return Damage.NONE

    def _failure(self, error: psycopg.Error, gave_way: str) -> MaintainerError:
        failure = super()._failure(error, gave_way)
        if type(failure) is not ActionFailed:
            return failure
        if error.sqlstate in _FOUND:
            damaged = Damaged(failure.what, where=failure.where, hint=failure.hint)
            damaged.damage = _FOUND[error.sqlstate]
            return damaged
        # A statement is cancelled by its time limit as a rule: that is about this relation.
        of_server = (error.sqlstate or "").startswith(_TROUBLE) and not isinstance(error, psycopg.errors.QueryCanceled)
        kind = InTrouble if of_server else SaysNothing
        return kind(failure.what, where=failure.where, hint=failure.hint)
