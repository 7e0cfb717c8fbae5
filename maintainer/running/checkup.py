"""Whether each node can be looked at: what `maintainer check` shows before anybody relies on a dry run."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from pydantic import ValidationError

from maintainer.errors import CouldNotLook
from maintainer.model.inventory import Inventory, Node
from maintainer.model.probes import probes
from maintainer.model.task import NodeQuery, Seen
from maintainer.model.values import Name, Value
from maintainer.running.dry_run import in_parallel
from maintainer.running.observe import Clock
from maintainer.running.ports import Look, Observer

SKEW = timedelta(seconds=60)


class Examined(Value):
    """One thing that was looked at on one node. `wrong` can be mended by a person; `unknown` could not be seen."""

    node: Name
    what: str
    verdict: Literal["ok", "wrong", "unknown"]
    detail: str
    hint: str = ""


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


class _Seen(NamedTuple):
    rows: list[Examined]
    machine: str | None


def examine(inventory: Inventory, look: Look, clock: Clock) -> tuple[Examined, ...]:
    """Look at every node, side by side. One node's silence is its own row."""
    nodes = inventory.nodes
    seen = in_parallel(lambda name: _node(name, nodes[name], look, clock), nodes, inventory.controller.parallel)
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


def meet(observer: Observer, clock: Clock) -> Met:
    asked = clock()
    hello = greet(observer)
    return Met(hello.clock - (asked + (clock() - asked) / 2), hello.boot_id)


def _node(name: str, node: Node, look: Look, clock: Clock) -> _Seen:
    try:
        with look(name) as observer:
            hello, here = greet(observer), clock()
            rows = [*_who(name, hello, hello.clock - here), *_places(name, node, hello)]
            return _Seen(
                [*rows, *_services(name, node, observer), *_probes(name, node, observer)], hello.machine_id_sha256
            )
    except CouldNotLook as error:
        row = Examined(node=name, what="reachable", verdict="unknown", detail=error.said_of(name), hint=error.hint)
    return _Seen([row], None)


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
    answer = observer.observe(NodeQuery(program="services", request={}))
    states = answer if isinstance(answer, dict) else {}
    for service in node.services:
        found = states.get(service)
        state = found if isinstance(found, dict) else {}
        running = state.get("state") == "running"
        detail = f"{state.get('state', 'unknown')} {state.get('detail') or ''}".strip()
        yield Examined(node=name, what=f"service {service}", verdict="ok" if running else "wrong", detail=detail)


def _probes(name: str, node: Node, observer: Observer) -> Iterator[Examined]:
    for probe in probes(node):
        answer = observer.observe(probe)
        seen = answer if isinstance(answer, dict) else {}
        if seen.get("answered") is True:
            yield Examined(node=name, what=probe.by, verdict="ok", detail=f"answered in {seen.get('seconds')} s")
        else:
            yield Examined(node=name, what=probe.by, verdict="wrong", detail=str(seen.get("why", "no answer")))


def _twins(machines: dict[str, str]) -> Iterator[Examined]:
    """One machine under two names would be taken down twice, or be its own partner."""
    first: dict[str, str] = {}
    for name, machine in machines.items():
        other = first.setdefault(machine, name)
        if other != name:
            detail, hint = f"is the same machine as {other}", "keep one of the two nodes in the inventory"
            yield Examined(node=name, what="machine", verdict="wrong", detail=detail, hint=hint)
