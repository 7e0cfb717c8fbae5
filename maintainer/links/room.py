"""How much room there is where a database's files lie, asked of the node that they lie on."""

from datetime import timedelta
from ipaddress import ip_address

from pydantic import JsonValue

from maintainer.links.node_link import NodeLink
from maintainer.model.task import Room


def room(link: NodeLink, asked: Room, timeout: timedelta) -> JsonValue:
    """Answer by path; nothing of a database on another machine.

    Raises:
        CouldNotLook: the node's own program did not answer, as one of an earlier version does not.
    """
    if not asked.paths or not _is_here(link.database.host):
        return {}
    return link.program().observe("room", {"paths": [*asked.paths]}, timeout)


def _is_here(host: str) -> bool:
    """Tell whether the node reaches the database without leaving it.

    >>> _is_here("localhost"), _is_here("::1"), _is_here("10.0.0.7")
    (True, True, False)
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
