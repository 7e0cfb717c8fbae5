"""How many bytes move over a port of this node, both ways, each counted once.

A connection that is open tells its count at each look; one that came and went between two looks, or moved more after
the last one, tells it as it is closed.
"""

from maintainer.node.sock_diag import COUNTING, Closings, bytes_both_ways, counted

UNKNOWN = float("inf")


class PortTraffic:
    """Asked by one thread at a time; to be closed. Where no closings are told, what is open alone is counted."""

    def __init__(self, port):
        self._port, self._known = port, None
        self._closings = Closings(port)

    def moved(self):
        """Bytes since it was asked last: 0 the first time, and `UNKNOWN` where more was closed than could be kept.

        None where the kernel tells no bytes (before 4.1, or without tcp_diag).
        """
        # In this order: what is closed in between is told at once, and never as open after its end.
        counts = counted(self._port, bytes_both_ways, COUNTING)
        closed = self._closings.drain()
        if counts is None or None in counts.values() or None in closed.values():
            self._known = None
            return None
        before, self._known = self._known, self._remembered(counts, closed)
        if before is None:
            return 0
        if self._closings.overflowed:
            return UNKNOWN
        counts.update(closed)
        return sum(max(0, count - before.get(one, 0)) for one, count in counts.items())

    def _remembered(self, counts, closed):
        """The last counts of what is open, and of what is no longer but whose end is still to be told."""
        last = dict(self._known or {}) if self._closings.listens and not self._closings.overflowed else {}
        last.update(counts)
        return {one: count for one, count in last.items() if one not in closed}

    def close(self):
        self._closings.close()
