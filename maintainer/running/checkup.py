"""Whether each node can be looked at: what `maintainer check` shows before anybody relies on a dry run."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from pydantic import ValidationError

from maintainer.errors import CouldNotLook
from maintainer.model.inventory import Inventory, Node
from maintainer.model.probes import probes
from maintainer.model.service import UnitService
from maintainer.model.task import NodeQuery, Observation, Seen
from maintainer.planning.privileges import of_account
from maintainer.running import software
from maintainer.running.dry_run import in_parallel
from maintainer.running.examined import Examined, objections
from maintainer.running.node_state import HOLDER, holder_of
from maintainer.running.observe import Clock, OneLook
from maintainer.running.ports import Look, Observer

SERVICES = NodeQuery(program="services", request={})
SKEW = timedelta(seconds=60)
_PROBE_HINTS = {
    "select-1": "see [nodes.{0}.database], and the database server's log on the node",
    "c-echo": "see [nodes.{0}.dicom], and the archive's log: does it run, and know our calling AE title?",
}


class Mount(Seen):
    mount_point: str
    read_only: bool
    free_bytes: int
    total_bytes: int
    holds: tuple[str, ...]


class Hello(Seen):
    hostname: str
    machine_id_sha256: str | None
    boot_id: str | None = None
    python: str
    clock: datetime
    user: str
    mounts: tuple[Mount, ...]
    program_sha256: str | None = None
    prepared: bool = False
    outside: tuple[str, ...] = ()


class _Seen(NamedTuple):
    rows: list[Examined]
    machine: str | None


class Examination(NamedTuple):
    """How nodes are looked at. `program`: digest of the program for nodes that belongs to this version."""

    look: Look
    clock: Clock
    program: str


def examine(inventory: Inventory, by: Examination) -> tuple[Examined, ...]:
    """Look at every node, side by side. One node's silence is its own row."""
    nodes = inventory.nodes
    seen = in_parallel(lambda name: _node(name, nodes[name], by), nodes, inventory.controller.parallel)
    twins = _twins({name: one.machine for name, one in zip(nodes, seen, strict=True) if one.machine})
    return (*(row for one in seen for row in one.rows), *twins)


def greet(observer: Observer) -> Hello:
    """Ask the node who it is.

    Raises:
        CouldNotLook: nobody answers, or what answers is not our program.
    """
    try:
        return Hello.model_validate(observer.observe(NodeQuery(program="hello", request={})))
    except ValidationError as error:
        raise CouldNotLook("what answers there is not our program", hint="see what its python3 is") from error


class Met(NamedTuple):
    """`clock_ahead`: how far the node's clock is ahead of ours, give or take the time of one question."""

    clock_ahead: timedelta
    boot_id: str | None
    machine: str | None


def meet(observer: Observer, clock: Clock) -> Met:
    asked = clock()
    hello = greet(observer)
    return Met(hello.clock - (asked + (clock() - asked) / 2), hello.boot_id, hello.machine_id_sha256)


def _node(name: str, node: Node, by: Examination) -> _Seen:
    rows: list[Examined] = []
    machine = None
    try:
        with by.look(name) as link:
            hello, here = greet(link), by.clock()
            observer = OneLook(link, _planned(node), by.clock)  # not with the greeting, which tells the node's time
            machine = hello.machine_id_sha256
            rows += [*_who(name, hello, hello.clock - here), *_program(name, node, hello, by.program)]
            rows += _places(name, node, hello)
            rows += _lease(name, observer, older=_is_older(hello, by.program))
            for part in (_services, _probes):
                rows += part(name, node, observer)
            rows += software.database(name, node, observer, here)
            rows += software.archive(name, node, observer)
    except CouldNotLook as error:
        what = "answer" if rows else "reachable"
        rows.append(Examined(node=name, what=what, verdict="unknown", detail=error.said_of(name), hint=error.hint))
    return _Seen(rows, machine)


def _planned(node: Node) -> list[Observation]:
    """What the node's program is asked after its greeting, in one request."""
    services: list[Observation] = [SERVICES] if node.services else []
    packages: list[Observation] = [software.PACKAGES] if software.packages_of(node) else []
    return [HOLDER, *services, *probes(node), *packages]


def _who(name: str, hello: Hello, ahead: timedelta) -> Iterator[Examined]:
    detail = f"{hello.hostname} as {hello.user}, Python {hello.python}"
    yield Examined(node=name, what="reachable", verdict="ok", detail=detail)
    wrong = abs(ahead) > SKEW
    yield Examined(
        node=name,
        what="clock",
        verdict="wrong" if wrong else "ok",
        detail=f"{ahead.total_seconds():+.0f} s from this controller's",
        hint="set up chrony or systemd-timesyncd on both: windows are kept by the controller's clock" if wrong else "",
    )


def _program(name: str, node: Node, hello: Hello, wanted: str) -> Iterator[Examined]:
    """By which program and policy the node works, and as whom."""
    again = _again(name)
    if hello.prepared:
        yield Examined(node=name, what="prepared", verdict="ok", detail=f"its own program and policy, as {hello.user}")
    if _is_older(hello, wanted):
        detail = "the node's program is not that of this version"
        yield Examined(node=name, what="program", verdict="warning", detail=detail, hint=again)
    for sentence in hello.outside:
        yield Examined(node=name, what="policy", verdict="wrong", detail=sentence, hint=f"if that is wanted, {again}")
    yield from objections(name, "account", of_account(node, hello.user, prepared=hello.prepared))


def _again(name: str) -> str:
    return f"run what `maintainer node prepare {name}` prints on the node again"


def _is_older(hello: Hello, wanted: str) -> bool:
    return hello.prepared and hello.program_sha256 != wanted


def _lease(name: str, observer: Observer, *, older: bool) -> Iterator[Examined]:
    """Who holds the node. One that is much older than any run was forgotten: only a person may take it away.

    `older`: the node has a program of another version, which may not know of leases; that has its own row.
    """
    try:
        holder = holder_of(observer)
    except CouldNotLook as error:
        verdict: Literal["warning", "unknown"] = "warning" if older else "unknown"
        hint = _again(name) if older else error.hint
        yield Examined(node=name, what="lease", verdict=verdict, detail=error.said_of(name), hint=hint)
        return
    if holder is None:
        return
    if not holder.is_old:
        yield Examined(node=name, what="lease", verdict="ok", detail=f"held by {holder}")
        return
    detail = f"held by {holder}, for {holder.age_seconds // 3600} hours"
    hint = f"see whether that run is over; if it is: `maintainer node release {name} --why …`"
    yield Examined(node=name, what="lease", verdict="warning", detail=detail, hint=hint)


def _places(name: str, node: Node, hello: Hello) -> Iterator[Examined]:
    """Every declared folder must be there, and what is to be cleaned must be writable."""
    mounted = {what: mount for mount in hello.mounts for what in mount.holds}
    declared = {f"root {root}": rule.path for root, rule in node.cleanup.items()}
    declared |= {"store": node.store.path} if node.store else {}
    for what, path in declared.items():
        mount = mounted.get(what)
        if mount is None:
            hint = "is it mounted, and does its owner let the agent's user look?"
            yield Examined(node=name, what=what, verdict="wrong", detail=f"{path} cannot be opened", hint=hint)
        else:
            free = (
                f"{path}: {mount.free_bytes / 1e9:.1f} of {mount.total_bytes / 1e9:.1f} GB free on {mount.mount_point}"
            )
            yield Examined(node=name, what=what, verdict="ok", detail=free)


def _services(name: str, node: Node, observer: Observer) -> Iterator[Examined]:
    if not node.services:
        return
    answer = observer.observe(SERVICES)
    states = answer if isinstance(answer, dict) else {}
    for service in node.services:
        found = states.get(service)
        state = found if isinstance(found, dict) else {}
        detail = ": ".join(str(word) for word in (state.get("state", "unknown"), state.get("detail")) if word)
        if state.get("state") == "running":
            yield Examined(node=name, what=f"service {service}", verdict="ok", detail=detail)
        else:
            hint = f"ask for its state on the node; [nodes.{name}.services.{service}] has " + _asked_by(node, service)
            yield Examined(node=name, what=f"service {service}", verdict="wrong", detail=detail, hint=hint)


def _asked_by(node: Node, service: str) -> str:
    if isinstance(node.services[service], UnitService):
        return "its unit; where there is no systemd, it takes start, stop and status"
    return "its status command: it ends with 0 when the service runs, with 3 when not"


def _probes(name: str, node: Node, observer: Observer) -> Iterator[Examined]:
    for probe in probes(node):
        try:
            answer = observer.observe(probe)
        except CouldNotLook as error:
            yield Examined(node=name, what=probe.by, verdict="unknown", detail=error.said_of(name), hint=error.hint)
            continue
        seen = answer if isinstance(answer, dict) else {}
        if seen.get("answered") is True:
            by = f", as {seen['implementation']}" if seen.get("implementation") else ""
            yield Examined(node=name, what=probe.by, verdict="ok", detail=f"answered in {seen.get('seconds')} s{by}")
        else:
            why, hint = str(seen.get("why", "no answer")), _PROBE_HINTS.get(probe.by, "").format(name)
            yield Examined(node=name, what=probe.by, verdict="wrong", detail=why, hint=hint)


def _twins(machines: dict[str, str]) -> Iterator[Examined]:
    """One machine under two names would be taken down twice, or be its own partner."""
    first: dict[str, str] = {}
    for name, machine in machines.items():
        other = first.setdefault(machine, name)
        if other != name:
            detail, hint = f"is the same machine as {other}", "keep one of the two nodes in the inventory"
            yield Examined(node=name, what="machine", verdict="wrong", detail=detail, hint=hint)
