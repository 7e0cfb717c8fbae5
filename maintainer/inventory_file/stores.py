"""What a store must say for its archive's index to be held against it."""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from maintainer.archives.register import names, product
from maintainer.inventory_file.draft import Draft, wrong_key, wrong_value
from maintainer.inventory_file.problems import At, Problem
from maintainer.model.inventory import Role
from maintainer.model.task import AnyTask

_WITHIN = "verify_all_within"
"""A task with this setting compares stores."""


def check_storages(draft: Draft, _: Mapping[str, AnyTask]) -> Iterator[Problem]:
    """The archive's database names storages and not where they are; two of them never share a folder."""
    for node, _table in draft.tables("nodes"):
        path = ("nodes", node, "store")
        archive = draft.text(*path, "archive")
        if archive not in names():
            continue
        has, given = product(archive).has_storages, draft.table(*path, "storages")
        if has and not given:
            what = 'this setting is missing: write which folder below `path` is which storage, as { fs1 = "fs1" }'
            yield Problem(path=(*path, "storages"), at=At.MISSING, what=what)
        elif given and not has:
            yield wrong_key(
                (*path, "storages"), f"{archive} has one folder of objects, which `path` is: leave this out"
            )
        yield from _check_overlaps(draft, node)


def check_indexes(draft: Draft, register: Mapping[str, AnyTask]) -> Iterator[Problem]:
    """A store that nobody compares, because there is nothing to compare it with, would look as if it were."""
    for task, settings in draft.tables("tasks"):
        if task not in register or _WITHIN not in register[task].params.model_fields:
            continue
        for node, path in _stores(draft, settings.get("nodes")):
            archive = draft.text(*path, "archive")
            if archive not in names():
                continue
            within = {**settings, **draft.table("nodes", node, "tasks", task)}.get(_WITHIN)
            if product(archive).has_index and Role.DATABASE not in draft.roles(node):
                yield Problem(path=path, at=At.TABLE, what=_not_asked(task, node))
            elif not product(archive).has_index and within is None:
                yield wrong_value((*path, "archive"), _not_remembered(archive, task, node))


def _stores(draft: Draft, chosen: object) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Give each node with a store on which a task runs: all, or those of its `nodes`."""
    for node, _table in draft.tables("nodes"):
        path = ("nodes", node, "store")
        if draft.table(*path) and (not isinstance(chosen, list) or node in chosen):
            yield node, path


def _check_overlaps(draft: Draft, node: str) -> Iterator[Problem]:
    path = ("nodes", node, "store", "storages")
    texts = {name: draft.text(*path, name) for name in draft.table(*path)}
    folders = {name: PurePosixPath(text) for name, text in texts.items() if text is not None}
    for name, folder in folders.items():
        for other, outer in folders.items():
            if other != name and folder.is_relative_to(outer) and (folder != outer or other < name):
                yield wrong_value(
                    (*path, name), f"this lies in the folder of the storage `{other}`: the two must lie apart"
                )
                break


def _not_asked(task: str, node: str) -> str:
    return (
        f"{task} cannot hold this store against its index: [nodes.{node}.database] is missing, and only an index in"
        " PostgreSQL can be read (Orthanc locks its SQLite index for itself); write that section, or `nodes` in"
        f" [tasks.{task}]"
    )


def _not_remembered(archive: str, task: str, node: str) -> str:
    return (
        f"{archive} has no index to compare files with, only what is remembered of them: write {_WITHIN} in"
        f" [tasks.{task}] or [nodes.{node}.tasks.{task}]"
    )
