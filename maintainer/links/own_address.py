"""From which address a node sees the controller come, as far as the controller itself can tell."""

import socket

from maintainer.errors import UsageError


def own_address(name: str, address: str, port: int) -> str:
    """Ask the routing table; nothing is sent. Behind address translation the node sees another one.

    Raises:
        UsageError: there is no way to the node from here.
    """
    try:
        family, kind, *_, target = socket.getaddrinfo(address, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(target)
            found: str = probe.getsockname()[0]
    except OSError as error:
        raise UsageError(
            f"cannot tell from which address this controller reaches {address}: {error.strerror}",
            where=name,
            hint="say it: --from ADDRESS",
        ) from None
    return found
