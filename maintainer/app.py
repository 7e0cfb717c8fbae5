"""The composition root: the only place where tasks, links, the log and the engine meet."""

import getpass
import hashlib
import secrets
import socket
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import structlog

from maintainer.archives.register import product
from maintainer.errors import LogError, UsageError, WindowClosed
from maintainer.intervention_log.controller_id import controller_id
from maintainer.intervention_log.log import InterventionLog
from maintainer.intervention_log.pseudonyms import Pseudonyms
from maintainer.intervention_log.record import Intervention, Kind, Record
from maintainer.intervention_log.run_lock import RunLock, holder
from maintainer.intervention_log.snapshots import Snapshots
from maintainer.inventory_file.load import LoadedInventory, load_inventory
from maintainer.inventory_file.schema import inventory_schema as schema_of
from maintainer.links.plan_file import read_plan
from maintainer.links.secrets import read_secret
from maintainer.model.inventory import LogIndex
from maintainer.model.plan import Plan
from maintainer.model.task import AnyTask, Assignment
from maintainer.model.window import Occurrence, Window
from maintainer.planning.calendar import missed, next_opening, open_now
from maintainer.planning.installed_policy import installed_policy
from maintainer.planning.preparation import Preparation, check_account, check_sources, index_tables
from maintainer.running.checkup import Examination, examine
from maintainer.running.crew import Crew
from maintainer.running.dry_run import dry_run
from maintainer.running.events import Reporter
from maintainer.running.examined import Examined
from maintainer.running.gate import Gate
from maintainer.running.observe import Eyes
from maintainer.running.recorder import Recorder
from maintainer.running.report import RunReport
from maintainer.running.shift import work_a_shift
from maintainer.running.stop import Stop
from maintainer.running.verdicts import settle, thaw
from maintainer.running.visits import Visit, Visits

if TYPE_CHECKING:
    from maintainer.links.fleet import Fleet
    from maintainer.links.lease import Holder, Released


LOG = structlog.get_logger(__name__)


class IndexSettings(TypedDict):
    index: LogIndex | None
    index_password: str | None


def register() -> dict[str, AnyTask]:
    """Every task that is installed, ours and third parties', by name.

    Raises:
        UsageError: a third party's task cannot be loaded.
    """
    tasks: dict[str, AnyTask] = {}
    for entry in entry_points(group="maintainer.tasks"):
        try:
            tasks[entry.name] = entry.load()()
        except Exception as error:
            raise UsageError(
                f"the task {entry.name} of {entry.value} cannot be loaded: {type(error).__name__}: {error}",
                hint="update or uninstall the package that brings it",
            ) from error
    return tasks


def load(path: Path) -> LoadedInventory:
    return load_inventory(path, register())


def inventory_schema() -> Mapping[str, Any]:
    return schema_of(register())


def now() -> datetime:
    return datetime.now(UTC)


class Maintainer:
    """One invocation: an inventory, and everything that can be done with it."""

    def __init__(self, loaded: LoadedInventory) -> None:
        self.loaded, self.inventory = loaded, loaded.inventory
        self.tasks = register()
        self.state = Path(self.inventory.controller.state)
        self.stop = Stop()

    def choose(
        self, *, window: str | None, nodes: Sequence[str], tasks: Sequence[str], asked: bool = False
    ) -> tuple[Assignment, ...]:
        """Limit the inventory's assignments to what the command line names; `asked`: they are due now.

        Raises:
            UsageError: it names something that the inventory does not have, or nothing is left.
        """
        self._may_be_asked(tasks, asked=asked)
        self._known("window", [window] if window else [], self.inventory.windows)
        self._known("node", nodes, self.inventory.nodes)
        self._known("task", tasks, self.inventory.tasks)
        asked_at = now() if asked else None
        chosen = tuple(
            one.model_copy(update={"asked_at": asked_at})
            for one in self.loaded.assignments
            if window in (None, one.params.window)
            and one.node in (nodes or (one.node,))
            and one.task in (tasks or (one.task,))
        )
        if not chosen:
            raise UsageError(
                "no task runs there",
                where=self.loaded.path,
                hint="`maintainer plan` without options shows what runs where",
            )
        return chosen

    def plan(self, assignments: Sequence[Assignment], report: Reporter) -> Plan:
        """Dry run: nothing in reach of this method can change a node."""
        with self.read_log() as log:
            return dry_run(
                assignments,
                self._eyes(),
                self.fleet(log).look,
                report,
                self.loaded.digest,
                ends=log.open_ends(),
                known=self.loaded.assignments,
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
            raise self._closed(window, started)
        in_window = [one for one in assignments if one.params.window in windows]
        wanted = [one for given in in_window if (one := _planned(approved, given)) is not None]
        if not wanted:
            return RunReport(run="", opened_at=started, closed_at=started, tasks=())
        with RunLock(self.state, command="maintainer run"), self.open_log() as log:
            log.verify()
            crew = self._crew(log, report, started, windows, approved)
            done = work_a_shift(crew, wanted, self._missed(log, started))
            self._tell_the_index(log)
            return done

    def open_intervention(self, node: str, intervention: Intervention) -> Visit:
        """Note that a person works on a node: the agent keeps off it until the intervention is closed."""
        self._known("node", [node], self.inventory.nodes)
        with self.open_log() as log:
            return self._visits(log).open(node, intervention)

    def close_intervention(self, node: str, number: int | None, note: str) -> Visit:
        with self.open_log() as log:
            return self._visits(log).close(node, number, note)

    def settle(self, step: str, ending: Literal["done", "failed"], why: str) -> Record:
        """Note a person's word on how a step ended.

        Raises:
            Busy: a run goes on, whose steps end by themselves.
        """
        with RunLock(self.state, command="maintainer settle"), self.open_log() as log:
            return settle(log, self.actor, step, ending, why)

    def thaw(self, group: str, why: str) -> Record:
        with self.open_log() as log:
            return thaw(log, self.actor, group, why)

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

        holder = self._holder(run_id) if run_id else None
        fleet = Fleet(self.inventory, run_id or "dry run", self.node_program(), log.history, holder)
        self.stop.on_abandon(fleet.cut)
        return fleet

    def _holder(self, run_id: str) -> "Holder":
        from maintainer.links.lease import Holder  # noqa: PLC0415 (as above)

        return Holder(controller_id(self.state), run_id, self.actor)

    def release(self, node: str, why: str, *, cancel: bool) -> "Released":
        """Take a node's lease from whoever has it, as the person at the keyboard decided, and note it.

        Raises:
            Busy: a run of this controller goes on, which gives back what it holds by itself.
            ActionFailed: the node said no.
            CouldNotLook: the node did not answer.
        """
        self._known("node", [node], self.inventory.nodes)
        with RunLock(self.state, command="maintainer node release"), self.open_log() as log:
            run = f"release-{secrets.token_hex(4)}"
            released = self.fleet(log).release_by_person(node, self._holder(run), why, cancel=cancel)
            before = f" of {released.before['who']}, held since {released.before['since']}" if released.before else ""
            log.append(Kind.NOTE, node=node, actor=self.actor, text=f"released the lease{before}: {why}")
            return released

    def node_program(self) -> bytes:
        """The program for nodes, as a zipapp: the same sources give the same bytes."""
        from maintainer.links.node_program import zipapp_bytes  # noqa: PLC0415 (as above)

        return zipapp_bytes(self._node_folders())

    def preparation(self, name: str, public_key: Path | None, sources: Sequence[str]) -> Preparation:
        """Everything about the set-up of a prepared node; touches no node.

        Raises:
            UsageError: the inventory has no such node, or not what it takes.
            CouldNotLook: the controller's key cannot be read.
        """
        from maintainer.links.node_program import programs_in  # noqa: PLC0415 (as above)
        from maintainer.links.own_address import own_address  # noqa: PLC0415 (as above)
        from maintainer.links.public_key import public_key_of, read_public_key  # noqa: PLC0415 (as above)

        self._known("node", [name], self.inventory.nodes)
        node, program = self.inventory.nodes[name], self.node_program()
        check_account(name, node)
        archive = product(node.store.archive) if node.store else None
        used = {one.params.window for one in self.loaded.assignments if one.node == name}
        windows = [self.inventory.windows[window] for window in used]
        return Preparation(
            name=name,
            node=node,
            key=read_public_key(public_key) if public_key else public_key_of(name, node),
            sources=check_sources(sources or [own_address(name, node.address, node.ssh.port)]),
            policy=installed_policy(node, archive.not_objects if archive else (), programs_in(program), windows),
            program=program,
            tables=index_tables([archive.objects_sql, archive.known_sql]) if archive else (),
        )

    def _node_folders(self) -> list[Traversable]:
        """The programs for nodes that come with each task's package, in its folder `node`."""
        packages = {type(task).__module__.rpartition(".")[0] for task in self.tasks.values()}
        folders = (files(package) / "node" for package in sorted(filter(None, packages)))
        return [folder for folder in folders if folder.is_dir()]

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
        return Crew(
            eyes=self._eyes(),
            gate=gate,
            work=fleet.work,
            recorder=recorder,
            report=report,
            known=self.loaded.assignments,
            approved=approved,
        )

    def _visits(self, log: InterventionLog) -> Visits:
        return Visits(
            log=log,
            snapshots=Snapshots(self.state),
            inventory=self.inventory,
            look=self.fleet(log).look,
            actor=self.actor,
            clock=now,
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

    def _eyes(self) -> Eyes:
        return Eyes(self.inventory, self.tasks, Pseudonyms(self.state), now)

    def _missed(self, log: InterventionLog, started: datetime) -> tuple[Occurrence, ...]:
        return missed(self._windows(), self.inventory.site, log.last_run(), started)

    def _windows(self) -> dict[str, Window]:
        """The windows that some task uses; the others cannot be missed."""
        used = {one.params.window for one in self.loaded.assignments}
        return {name: window for name, window in self.inventory.windows.items() if name in used}

    def _closed(self, window: str, started: datetime) -> WindowClosed:
        opens = next_opening({window: self.inventory.windows[window]}, self.inventory.site, started)
        when = f"it opens at {opens.opens:%Y-%m-%d %H:%M} UTC" if opens else "it does not open within a year"
        return WindowClosed(
            f"the window {window} is closed now: {when}",
            hint="nothing starts outside its window; see `maintainer calendar`",
        )

    def _may_be_asked(self, tasks: Sequence[str], *, asked: bool) -> None:
        on_request = [name for name, task in self.tasks.items() if task.on_request]
        if asked and (not tasks or set(tasks) - set(on_request)):
            raise UsageError(
                "--now asks for single tasks, and each must be one that can be asked for",
                hint=f"name it with --task: {', '.join(on_request)}",
            )

    def _known(self, word: str, names: Sequence[str], known: Collection[str]) -> None:
        unknown = [name for name in names if name not in known]
        if unknown:
            raise UsageError(
                f"there is no {word} {unknown[0]}", where=self.loaded.path, hint=f"it has {', '.join(known)}"
            )


def _planned(approved: Plan | None, assignment: Assignment) -> Assignment | None:
    """Leave out what the plan does not hold; what was asked for when it was made is asked for still."""
    if approved is None:
        return assignment
    same = [e for e in approved.entries if (e.node, e.task) == (assignment.node, assignment.task)]
    return assignment.model_copy(update={"asked_at": same[0].asked_at}) if same else None
