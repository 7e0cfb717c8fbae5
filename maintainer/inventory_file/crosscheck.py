"""What can be said only of several settings together: names that must exist, and things that exclude each other."""

import ipaddress
from collections.abc import Callable, Iterator, Mapping

from maintainer.inventory_file.draft import Draft, wrong_key, wrong_value
from maintainer.inventory_file.host_key import fault
from maintainer.inventory_file.places import check_cleanup_roots, check_watched
from maintainer.inventory_file.positions import Path
from maintainer.inventory_file.problems import At, Problem, show
from maintainer.inventory_file.site import check_blackouts, check_holidays, check_timezone
from maintainer.inventory_file.stores import check_indexes, check_storages
from maintainer.model.inventory import Role
from maintainer.model.task import AnyTask
from maintainer.planning.service_order import cycle

Register = Mapping[str, AnyTask]
Check = Callable[[Draft, Register], Iterator[Problem]]


def check_groups(draft: Draft, _: Register) -> Iterator[Problem]:
    nodes = tuple(draft.table("nodes"))
    group_of: dict[str, str] = {}
    for group, _table in draft.tables("groups"):
        for path, node in draft.texts("groups", group, "members"):
            if node not in nodes:
                yield wrong_value(path, f"there is no node {show(node)}", node, nodes)
            elif group_of.get(node) == group:
                yield wrong_value(path, f"`{node}` stands here twice")
            elif node in group_of:
                yield wrong_value(path, f"`{node}` is a member of the group `{group_of[node]}` already")
            group_of.setdefault(node, group)


def check_ssh(draft: Draft, _: Register) -> Iterator[Problem]:
    for node, _table in draft.tables("nodes"):
        path = ("nodes", node, "ssh")
        ssh = draft.table(*path)
        if "host_key" in ssh and "known_hosts" in ssh:
            yield wrong_key((*path, "known_hosts"), "write host_key or known_hosts, not both")
        elif ssh and not ssh.keys() & {"host_key", "known_hosts"}:
            what = (
                "this setting is missing, or known_hosts: without one of them the node cannot be told from an impostor"
            )
            yield Problem(path=(*path, "host_key"), at=At.MISSING, what=what)
        if (key := draft.text(*path, "host_key")) is not None and (what := fault(key)):
            yield wrong_value((*path, "host_key"), what)


def check_addresses(draft: Draft, _: Register) -> Iterator[Problem]:
    """Find one machine under two names: guards that count nodes would count it twice."""
    seen: dict[tuple[str, int], str] = {}
    for node, table in draft.tables("nodes"):
        address, port = draft.text("nodes", node, "address"), draft.table("nodes", node, "ssh").get("port", 22)
        if address is None or not isinstance(port, int) or not table:
            continue
        first = seen.setdefault((_plain_address(address), port), node)
        if first != node:
            what = f"{show(address)}, SSH port {port}, is the node `{first}` already: one machine has one name"
            yield wrong_value(("nodes", node, "address"), what)


def check_services(draft: Draft, _: Register) -> Iterator[Problem]:
    for node, _table in draft.tables("nodes"):
        seen: dict[tuple[str, str], str] = {}
        for service, _settings in draft.tables("nodes", node, "services"):
            for key in ("pid_file", "unit"):
                path = ("nodes", node, "services", service, key)
                if (value := draft.text(*path)) is not None:
                    first = seen.setdefault((key, value), service)
                    if first != service:
                        yield wrong_value(path, f"the service `{first}` has the same {key}")


def check_service_order(draft: Draft, _: Register) -> Iterator[Problem]:
    """Services that need each other in a circle could be neither started nor stopped."""
    for node, _table in draft.tables("nodes"):
        services = tuple(draft.table("nodes", node, "services"))
        after: dict[str, list[str]] = {service: [] for service in services}
        for service, _settings in draft.tables("nodes", node, "services"):
            for path, needed in draft.texts("nodes", node, "services", service, "after"):
                if needed not in services:
                    yield wrong_value(path, f"this node has no service {show(needed)}", needed, services)
                elif needed in after[service]:
                    yield wrong_value(path, f"`{needed}` stands here twice")
                after[service].append(needed)
        if circle := cycle(after):
            path = ("nodes", node, "services", circle[0], "after")
            yield wrong_value(path, f"a service cannot wait for itself: {' after '.join(f'`{one}`' for one in circle)}")


def check_canary(draft: Draft, _: Register) -> Iterator[Problem]:
    for node, _table in draft.tables("nodes"):
        dicom = draft.table("nodes", node, "dicom")
        if "canary_digest" in dicom and "canary" not in dicom:
            yield wrong_key(("nodes", node, "dicom", "canary_digest"), "this has no effect: `canary` is missing")


def check_task_names(draft: Draft, register: Register) -> Iterator[Problem]:
    for task in draft.table("tasks"):
        if task not in register:
            yield wrong_key(("tasks", task), "there is no such task", task, tuple(register))
    for node, _table in draft.tables("nodes"):
        for task in draft.table("nodes", node, "tasks"):
            path = ("nodes", node, "tasks", task)
            if task not in register:
                yield wrong_key(path, "there is no such task", task, tuple(register))
            elif task not in draft.table("tasks"):
                yield wrong_key(path, f"this has no effect: the section [tasks.{task}] is missing")


def check_windows(draft: Draft, register: Register) -> Iterator[Problem]:
    windows = tuple(draft.table("windows"))
    for path in _settings_of_tasks(draft, register):
        window = draft.text(*path, "window")
        if window is not None and window not in windows:
            yield wrong_value((*path, "window"), f"there is no window {show(window)}", window, windows)


def check_where_tasks_run(draft: Draft, register: Register) -> Iterator[Problem]:
    nodes = {node: draft.roles(node) for node, _table in draft.tables("nodes")}
    for name, settings in draft.tables("tasks"):
        if name not in register or not nodes:
            continue
        needed = register[name].roles
        if not any(needed <= roles for roles in nodes.values()):
            yield Problem(path=("tasks", name), at=At.TABLE, what=_nowhere(name, needed))
            continue
        if settings.get("nodes") == []:
            yield wrong_value(
                ("tasks", name, "nodes"), "no node is named: leave `nodes` out for all, or the section for none"
            )
        yield from _check_named_nodes(draft, name, needed, nodes)


def check_overrides(draft: Draft, register: Register) -> Iterator[Problem]:
    for node, _table in draft.tables("nodes"):
        for name, _settings in draft.tables("nodes", node, "tasks"):
            if name not in register or name not in draft.table("tasks"):
                continue
            path = ("nodes", node, "tasks", name)
            named = draft.value("tasks", name, "nodes")
            if missing := register[name].roles - draft.roles(node):
                yield wrong_key(path, f"this has no effect: `{name}` needs {_sections(node, missing)}")
            elif isinstance(named, list) and node not in named:
                yield wrong_key(path, f"this has no effect: [tasks.{name}] has `nodes`, and `{node}` is not among them")


CHECKS: tuple[Check, ...] = (
    check_timezone,
    check_holidays,
    check_blackouts,
    check_groups,
    check_ssh,
    check_addresses,
    check_services,
    check_service_order,
    check_canary,
    check_cleanup_roots,
    check_watched,
    check_storages,
    check_indexes,
    check_task_names,
    check_windows,
    check_where_tasks_run,
    check_overrides,
)


def _settings_of_tasks(draft: Draft, register: Register) -> Iterator[Path]:
    yield from (("tasks", name) for name, _settings in draft.tables("tasks") if name in register)
    for node, _table in draft.tables("nodes"):
        for name, _settings in draft.tables("nodes", node, "tasks"):
            if name in register:
                yield ("nodes", node, "tasks", name)


def _check_named_nodes(
    draft: Draft, task: str, needed: frozenset[Role], nodes: Mapping[str, frozenset[Role]]
) -> Iterator[Problem]:
    seen: set[str] = set()
    for path, node in draft.texts("tasks", task, "nodes"):
        if node not in nodes:
            yield wrong_value(path, f"there is no node {show(node)}", node, tuple(nodes))
        elif node in seen:
            yield wrong_value(path, f"`{node}` stands here twice")
        elif missing := needed - nodes[node]:
            yield wrong_value(path, f"the task cannot run on `{node}`: {_sections(node, missing)} is missing")
        seen.add(node)


def _nowhere(task: str, needed: frozenset[Role]) -> str:
    return f"the task can run nowhere: no node has {_sections('NAME', needed)}; write it, or leave [tasks.{task}] out"


def _sections(node: str, roles: frozenset[Role]) -> str:
    """Name the sections that give a node these roles.

    >>> _sections("pacs-a", frozenset({Role.STORE, Role.DATABASE}))
    '[nodes.pacs-a.database] and [nodes.pacs-a.store]'
    """
    named = {Role.SERVICES: ".NAME", Role.CLEANUP: ".NAME"}
    sections = {role: f"[nodes.{node}.{role}{named.get(role, '')}]" for role in sorted(roles)}
    return " and ".join((sections | {Role.REBOOT: f"reboot = true in [nodes.{node}]"})[role] for role in sections)


def _plain_address(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address.lower().rstrip(".")
