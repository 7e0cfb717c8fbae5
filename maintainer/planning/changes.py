"""What is different on a node after a person has worked there, in the words of a log entry."""

from collections.abc import Iterator, Mapping

from maintainer.model.snapshot import FileThen, ServiceThen, Snapshot

WORTH_TELLING = 100_000_000
"""Bytes of free space: a serving archive writes and deletes less than that within a person's visit, or says so."""


def changes(before: Snapshot, after: Snapshot) -> tuple[str, ...]:
    """List the differences, what matters most for service first; empty when there are none."""
    return (
        *_machine(before, after),
        *_services(before.services, after.services),
        *_files(before.files, after.files),
        *_packages(before.packages, after.packages),
        *_room(before.free_bytes, after.free_bytes),
        *(["not everything could be listed, so there may be more"] if before.more or after.more else []),
    )


def _machine(before: Snapshot, after: Snapshot) -> Iterator[str]:
    if before.boot_id and after.boot_id and before.boot_id != after.boot_id:
        yield "rebooted"
    if before.kernel != after.kernel:
        yield f"kernel {before.kernel} → {after.kernel}"
    if before.postgresql != after.postgresql:
        yield f"PostgreSQL {before.postgresql or 'without an answer'} → {after.postgresql or 'without an answer'}"


def _services(before: Mapping[str, ServiceThen], after: Mapping[str, ServiceThen]) -> Iterator[str]:
    for name in sorted(before.keys() & after.keys()):
        then, now = before[name], after[name]
        if then.state != now.state:
            yield f"service {name} {then.state} → {now.state}"
        elif then.pid != now.pid:
            yield f"service {name} restarted"


def _files(before: Mapping[str, FileThen], after: Mapping[str, FileThen]) -> Iterator[str]:
    absent = FileThen(problem="missing")
    for path in sorted(before.keys() | after.keys()):
        then, now = before.get(path, absent), after.get(path, absent)
        if then != now:
            word = "gone" if now.problem == "missing" else "new" if then.problem == "missing" else "changed"
            yield f"{path} {now.problem if now.problem not in {'', 'missing'} else word}"


def _packages(before: Mapping[str, str] | None, after: Mapping[str, str] | None) -> Iterator[str]:
    if before is None or after is None:
        if before is not after:
            yield "packages could not be compared"
        return
    for name in sorted(before.keys() | after.keys()):
        then, now = before.get(name), after.get(name)
        if then is None:
            yield f"package {name} {now} installed"
        elif now is None:
            yield f"package {name} {then} removed"
        elif then != now:
            yield f"package {name} {then} → {now}"


def _room(before: Mapping[str, int], after: Mapping[str, int]) -> Iterator[str]:
    for place in sorted(before.keys() & after.keys()):
        grown = after[place] - before[place]
        if abs(grown) >= WORTH_TELLING:
            yield f"{abs(grown) / 1e9:.1f} GB {'more' if grown > 0 else 'less'} free on {place}"
    for place in sorted(before.keys() - after.keys()):
        yield f"{place} is no longer mounted"
