"""One node over one SSH connection: made when it is first needed, and made anew after it was lost."""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta

from pydantic import JsonValue

from maintainer.errors import CouldNotLook, LinkLost, NodeUnreachable
from maintainer.links.database_probe import Probed, probe_database
from maintainer.links.node_program import NodeProgram
from maintainer.links.postgres import ReadingSession
from maintainer.links.postgres_acting import ActingSession
from maintainer.links.postgres_check import CheckingSession
from maintainer.links.ssh import SshLink
from maintainer.links.tunnel import Tunnel
from maintainer.model.inventory import Database, Node


class NodeLink:
    """Holds what is open to one node; used by one thread at a time.

    Every accessor raises `CouldNotLook`, or its kind, when the node or what is asked for is not there.
    """

    def __init__(
        self,
        name: str,
        node: Node,
        *,
        run_id: str,
        zipapp: bytes,
        policy: dict[str, JsonValue],
        stop_asked: Callable[[], bool] = lambda: False,
    ) -> None:
        self.name, self.node = name, node
        self._run_id, self._zipapp, self._policy = run_id, zipapp, policy
        self.lease: dict[str, JsonValue] | None = None
        """By what the node knows that we may act, once it has said so."""
        self.stop_asked = stop_asked
        """Whether what has begun should end as soon as it can be left without harm."""
        self.is_cut = False
        self.sealed_root = ""
        """Of the node's ledger, as it told when this link had it sealed."""
        self._open = ExitStack()
        self._ssh: SshLink | None = None
        self._unreachable: NodeUnreachable | None = None
        self._tunnel: Tunnel | None = None
        self._reading: ReadingSession | None = None

    def cut(self) -> None:
        """Break the connection under whoever waits on it, from another thread, for good."""
        self.is_cut = True
        if self._ssh is not None:
            self._ssh.close()

    def close(self) -> None:
        """Close everything; the next question connects again."""
        self._ssh = self._tunnel = self._reading = self._unreachable = None
        self._open.close()

    def ssh(self) -> SshLink:
        if self.is_cut:
            raise LinkLost("the link was cut here, on request", where=self.name, hint="the next run looks at the node")
        if self._unreachable is not None:
            # It was waited for once; doing so again for each task would take minutes and find nothing else.
            raise self._unreachable.with_traceback(None)
        if self._ssh is None or not self._ssh.alive():
            self.close()
            self._ssh = self._open.enter_context(self._connected())
        return self._ssh

    def _connected(self) -> SshLink:
        try:
            return SshLink.connect(self.name, self.node)
        except NodeUnreachable as error:
            self._unreachable = error
            raise

    def program(self) -> NodeProgram:
        how = self.node.ssh
        return NodeProgram(
            self.name,
            self.ssh().run,
            self._policy,
            self._zipapp,
            sudo=how.sudo,
            prepared=how.prepared,
            lease=self.lease,
        )

    def tunnel(self) -> Tunnel:
        ssh = self.ssh()
        if self._tunnel is None:
            self._tunnel = self._open.enter_context(Tunnel(ssh, self.database.host, self.database.port))
        return self._tunnel

    def reading(self) -> ReadingSession:
        """The read-only session in which all observing queries run."""
        tunnel = self.tunnel()
        if self._reading is None or not self._reading.alive():
            self._reading = self._open.enter_context(ReadingSession(tunnel, self.database, self._run_id))
        return self._reading

    def probe(self, timeout: timedelta) -> Probed:
        """Ask the database as a client would that comes now; where no session is open yet, the queries go on in this.

        Raises:
            CouldNotLook: it could not be asked.
        """
        probed = probe_database(self.tunnel(), self.database, self._run_id, timeout)
        if probed.session is not None and (self._reading is None or not self._reading.alive()):
            self._reading = self._open.enter_context(probed.session)
        elif probed.session is not None:
            probed.session.close()
        return probed

    def acting(self) -> ActingSession:
        """A session of its own for one statement; close it by `with`."""
        return ActingSession(self.tunnel(), self.database, self._run_id)

    def checking(self) -> CheckingSession:
        """A session of its own for reading relations whole; close it by `with`."""
        return CheckingSession(self.tunnel(), self.database, self._run_id)

    @property
    def database(self) -> Database:
        if self.node.database is None:
            raise CouldNotLook("it has no database", where=self.name, hint=f"write [nodes.{self.name}.database]")
        return self.node.database
