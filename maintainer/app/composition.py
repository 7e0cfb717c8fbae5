"""One invocation, composed: the inventory, the tasks, the links, the log and the engine."""

import getpass
import hashlib
import secrets
import socket
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import structlog

from maintainer.app.choice import check_may_be_asked, choose, planned, window_closed
from maintainer.app.installed import node_program, register
from maintainer.app.people import People
from maintainer.app.preparing import preparation
from maintainer.errors import LogError
from maintainer.intervention_log.controller_id import controller_id
from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.pseudonyms import Pseudonyms
from maintainer.intervention_log.run_lock import RunLock, holder
from maintainer.inventory_file.load import LoadedInventory
from maintainer.links.plan_file import read_plan
from maintainer.links.secrets import read_secret
from maintainer.model.inventory import LogIndex
from maintainer.model.plan import Plan
from maintainer.model.task import Assignment
from maintainer.model.window import Occurrence, Window
from maintainer.planning.calendar import missed, next_opening, open_now
from maintainer.planning.preparation import Preparation
from maintainer.running.acknowledged import Acknowledgements
from maintainer.running.checkup import Examination, examine
from maintainer.running.copies import Copies
from maintainer.running.crew import Crew
from maintainer.running.dry_run import dry_run
from maintainer.running.events import Reporter
from maintainer.running.examined import Examined
from maintainer.running.foretold import foretold
from maintainer.running.gate import Gate
from maintainer.running.observe import Eyes
from maintainer.running.recalled_copies import RecalledCopies, recall
from maintainer.running.recorder import Recorder
from maintainer.running.report import RunReport
from maintainer.running.shift import work_a_shift
from maintainer.running.stop import Stop

if TYPE_CHECKING:
    from maintainer.links.fleet import Fleet
    from maintainer.links.lease import Holder


LOG = structlog.get_logger(__name__)


class IndexSettings(TypedDict):
    index: LogIndex | None
    index_password: str | None


def now() -> datetime:
    return datetime.now(UTC)


class Maintainer:
    """One invocation: an inventory, and everything that can be done with it."""

    def __init__(self, loaded: LoadedInventory) -> None:
        self.loaded, self.inventory = loaded, loaded.inventory
        self.tasks = register()
        self.state = Path(self.inventory.controller.state)
        self.stop = Stop()

    @property
    def people(self) -> People:
        """What the person at the keyboard may decide."""
        return People(self)

    def choose(
        self, *, window: str | None, nodes: Sequence[str], tasks: Sequence[str], asked: bool = False
    ) -> tuple[Assignment, ...]:
        """Limit the inventory's assignments to what the command line names; `asked`: they are due now.

        Raises:
            UsageError: it names something that the inventory does not have, or nothing is left.
        """
        if asked:
            check_may_be_asked(self.tasks, tasks)
        return choose(self.loaded, window=window, nodes=nodes, tasks=tasks, asked_at=now() if asked else None)

    def plan(self, assignments: Sequence[Assignment], report: Reporter) -> Plan:
        """Dry run: nothing in reach of this method can change a node."""
        with self.read_log() as log:
            copies = RecalledCopies(inventory=self.inventory, recall=partial(recall, log), clock=now)
            return dry_run(
                assignments,
                self._eyes(log)._replace(copies=copies),
                self.fleet(log).look,
                report,
                self.loaded.digest,
                ends=log.open_ends(),
                known=self.loaded.assignments,
                foretell=partial(foretold, log),
                holder=self.at_work(),
            )

    def at_work(self) -> str:
        """Who runs on this controller now, in a sentence; nothing when nobody does."""
        return str(holder(self.state) or "")

    def run(
        self,
        assignments: Sequence[Assignment],
        report: Reporter,
        *,
        approved: Plan | None = None,
        window: str | None = None,
    ) -> RunReport:
        """Do what is due in the windows that are open now; outside all of them, nothing, and the log stays as it was.

        Raises:
            Busy: another run of this controller goes on.
            LogError: the intervention log cannot be written or trusted.
            WindowClosed: the window that was asked for is closed.
        """
        started = now()
        windows = open_now(self.inventory.windows, self.inventory.site, started)
        if window is not None and window not in windows:
            raise window_closed(self.inventory, window, started)
        in_window = [one for one in assignments if one.params.window in windows]
        wanted = [one for given in in_window if (one := planned(approved, given)) is not None]
        if not wanted:
            return RunReport(run="", opened_at=started, closed_at=started, tasks=())
        with RunLock(self.state, command="maintainer run"), self.open_log() as log:
            log.verify()
            crew = self._crew(log, report, started, windows, approved)
            done = work_a_shift(crew, wanted, self._missed(log, started))
            self._tell_the_index(log)
            return done

    @property
    def actor(self) -> str:
        """Who is at the keyboard, or as whom the agent runs."""
        return f"{getpass.getuser()}@{socket.gethostname()}"

    def check(self) -> tuple[Examined, ...]:
        """Look at every node and say whether a dry run could."""
        with self.read_log() as log:
            program = hashlib.sha256(self.node_program()).hexdigest()
            return examine(self.inventory, Examination(self.fleet(log).look, now, program))

    def fleet(self, log: InterventionLog, run_id: str = "") -> "Fleet":
        """The nodes, over real links; `run_id` is shown in what is opened on them."""
        from maintainer.links.fleet import Fleet  # noqa: PLC0415 (paramiko and psycopg: only for who touches nodes)

        holder = self.holder(run_id, log) if run_id else None
        program, asked = self.node_program(), lambda: self.stop.asked
        fleet = Fleet(self.inventory, run_id or "dry run", program, log.history, holder, stop_asked=asked)
        self.stop.on_abandon(fleet.cut)
        return fleet

    def holder(self, run_id: str, log: InterventionLog) -> "Holder":
        """Say as whom a run of this controller holds nodes."""
        from maintainer.links.lease import Holder  # noqa: PLC0415 (as above)

        return Holder(controller_id(self.state), run_id, self.actor, log)

    def node_program(self) -> bytes:
        """The program for nodes, as a zipapp: the same sources give the same bytes."""
        return node_program(self.tasks.values())

    def preparation(self, name: str, public_key: Path | None, sources: Sequence[str]) -> Preparation:
        """Everything about the set-up of a prepared node; touches no node.

        Raises:
            UsageError: the inventory has no such node, or not what it takes.
            CouldNotLook: the controller's key cannot be read.
        """
        return preparation(self.loaded, self.node_program(), name, public_key, sources)

    def open_log(self) -> InterventionLog:
        return InterventionLog.open(self.state, origin=self.inventory.site.name, **self._index())

    def read_log(self, *, vouched: bool = True) -> InterventionLog:
        """Open the log for asking.

        Raises:
            LogError: it was changed or cut, unless it is about to be verified anyway.
        """
        log = InterventionLog.read(self.state, **self._index())
        if vouched:
            log.vouch()
        return log

    def open_windows(self) -> dict[str, Occurrence]:
        return open_now(self._windows(), self.inventory.site, now())

    def next_opening(self) -> Occurrence | None:
        return next_opening(self._windows(), self.inventory.site, now())

    def read_plan(self, path: Path) -> Plan:
        return read_plan(path, site=self.inventory.site.name, inventory=self.loaded.digest, now=now())

    def _crew(
        self,
        log: InterventionLog,
        report: Reporter,
        started: datetime,
        windows: Mapping[str, Occurrence],
        approved: Plan | None,
    ) -> Crew:
        run_id = f"{started:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
        fleet = self.fleet(log, run_id)
        gate = Gate(
            inventory=self.inventory,
            log=log,
            look=fleet.look,
            clock=now,
            stop=self.stop,
            open_windows=windows,
            started_wall=started,
            controller=controller_id(self.state),
        )
        recorder = Recorder(log, run_id, self.actor, approved.digest() if approved else "")
        copies = Copies(
            inventory=self.inventory, look=fleet.look, time_left=gate.time_left, recall=partial(recall, log), clock=now
        )
        return Crew(
            eyes=self._eyes(log)._replace(copies=copies),
            gate=gate,
            work=fleet.work,
            recorder=recorder,
            report=report,
            known=self.loaded.assignments,
            approved=approved,
        )

    def _tell_the_index(self, log: InterventionLog) -> None:
        """The log is whole without its index, so an index that cannot be had is a warning, not an error."""
        try:
            log.refresh_index()
        except LogError as error:
            LOG.warning("the log's index is behind", error=str(error))

    def _index(self) -> IndexSettings:
        index = self.inventory.controller.log.index
        password = read_secret(index.password) if index and index.password else None
        return {"index": index, "index_password": password}

    def _eyes(self, log: InterventionLog) -> Eyes:
        return Eyes(self.inventory, self.tasks, Pseudonyms(self.state), now, Acknowledgements.of(log))

    def _missed(self, log: InterventionLog, started: datetime) -> tuple[Occurrence, ...]:
        return missed(self._windows(), self.inventory.site, log.last_run(), started)

    def _windows(self) -> dict[str, Window]:
        """The windows that some task uses; the others cannot be missed."""
        used = {one.params.window for one in self.loaded.assignments}
        return {name: window for name, window in self.inventory.windows.items() if name in used}
