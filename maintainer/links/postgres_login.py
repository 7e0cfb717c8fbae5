"""Logging in to the PACS database, through the SSH connection, and what it means when that does not succeed."""

import logging
from datetime import timedelta
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.numeric import FloatLoader

from maintainer.errors import LinkLost, MaintainerError
from maintainer.links import sqlstate
from maintainer.links.secrets import read_secret
from maintainer.links.ssh import NoAnswer
from maintainer.links.tunnel import DOOR_PORT, Tunnel
from maintainer.model.inventory import Database

# psycopg logs server messages, and these may hold values of rows.
logging.getLogger("psycopg").setLevel(logging.CRITICAL + 1)

Connection = psycopg.Connection[dict[str, Any]]


def connect(tunnel: Tunnel, database: Database, who: str, options: str, within: timedelta) -> Connection:
    """Log in, leaving nothing for the environment (PGHOSTADDR, PGOPTIONS, …) to decide.

    Raises:
        NoAnswer: the database did not let us in.
        LinkLost: the SSH connection was lost.
        CouldNotLook: the password cannot be read.
    """
    password = read_secret(database.password) if database.password else ""
    try:
        connection: Connection = psycopg.connect(
            host=tunnel.folder,
            hostaddr="",
            port=DOOR_PORT,
            dbname=database.name,
            user=database.user,
            password=password,
            application_name=who,
            options=options,
            client_encoding="UTF8",
            target_session_attrs="any",
            channel_binding="disable",
            connect_timeout=max(2, round(within.total_seconds())),
            autocommit=True,
            row_factory=dict_row,
        )
    except psycopg.Error as error:
        raise _not_connected(tunnel, database, error, within) from None
    connection.adapters.register_loader("numeric", FloatLoader)
    return connection


def _not_connected(tunnel: Tunnel, database: Database, error: psycopg.Error, within: timedelta) -> MaintainerError:
    node = tunnel.link.name
    if tunnel.refusal is not None:
        return tunnel.refusal
    if not tunnel.link.alive():
        return LinkLost("the SSH connection was lost", where=node, hint="nothing was asked of the database; try again")
    code = sqlstate.of_first_answer(tunnel.first_answer)
    if code is not None:
        what, hint = sqlstate.sentence(code, node, database)
        return NoAnswer(what, where=node, hint=hint)
    if isinstance(error, psycopg.errors.ConnectionTimeout):
        return NoAnswer(
            f"the database took the connection but did not answer within {within.total_seconds():g} s",
            where=node,
            hint="the server hangs, or its machine is overloaded: look at it",
        )
    if tunnel.first_answer.startswith(b"R"):
        return NoAnswer(
            f"the database asks for a password of user {database.user} that was not there or of another form",
            where=node,
            hint=f"write nodes.{node}.database.password",
        )
    return NoAnswer("the database closed the connection", where=node, hint="see the server's log on the node")
