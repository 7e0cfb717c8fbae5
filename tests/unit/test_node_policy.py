"""The node believes no policy that could lead it into a store or a folder of the system."""

from datetime import timedelta
from typing import Any

import pytest

from maintainer.model.inventory import Node
from maintainer.node.envelope import Trouble
from maintainer.node.policy import Commands, Policy, Root, Unit
from maintainer.node.store import parts
from maintainer.planning.policy import policy_of

ROOT: dict[str, Any] = {
    "path": "/srv/spool",
    "patterns": ["*.log"],
    "older_than_seconds": 60,
    "age_by": "ctime",
    "keep_quarantined_seconds": 60,
}
COMMANDS: dict[str, Any] = {
    "start": ["/opt/pacs/start"],
    "stop": ["/opt/pacs/stop"],
    "status": ["/opt/pacs/status"],
    "pid_file": "/run/pacs.pid",
    "timeout_seconds": 60,
}


def policy(**fields: Any) -> dict[str, Any]:
    return {"services": {}, "roots": {}, "store": None, "not_objects": [], **fields}


def test_what_the_inventory_says_is_what_the_node_reads() -> None:
    """A node of the inventory becomes a policy that its node accepts, value for value."""
    node = Node.model_validate(
        {
            "address": "10.0.0.1",
            "ssh": {"user": "maintainer", "host_key": None, "known_hosts": "/etc/ssh/known"},
            "services": {
                "orthanc": {"unit": "orthanc.service", "timeout": timedelta(minutes=2)},
                "archive": {k: COMMANDS[k] for k in ("start", "stop", "status", "pid_file")},
            },
            "store": {"archive": "practice", "path": "/srv/dicom"},
            "cleanup": {"spool": {"path": "/srv/spool", "patterns": ["*.log"], "older_than": timedelta(days=3)}},
        }
    )
    written = policy_of(node, ["*.tmp"])
    read = Policy(written)
    assert read.services == {
        "orthanc": Unit("orthanc.service", 120.0),
        "archive": Commands(("/opt/pacs/start",), ("/opt/pacs/stop",), ("/opt/pacs/status",), "/run/pacs.pid", 300.0),
    }
    assert read.roots == {"spool": Root("spool", "/srv/spool", ("*.log",), 259200.0, "ctime", 604800.0)}
    assert read.store.path == "/srv/dicom"
    assert (read.is_object("a.tmp"), read.is_object("a.dcm")) == (False, True)


@pytest.mark.fault(42)
@pytest.mark.parametrize(
    "path",
    [
        "", "/", "spool", "./spool", "/srv/../etc/spool", "/srv//spool", "/srv/spool/", "/srv/./spool", "/srv", "/opt",
        "/etc/spool", "/usr/share/x", "/proc/self/root/srv", "/sys/x", "/bin/x", "/srv/a\0b", None, 7, ["/srv/spool"],
    ],
)  # fmt: skip
def test_a_root_that_no_node_should_clean(path: Any) -> None:
    """Empty, `/`, relative, not normal, of one component, or a folder of the system: refused."""
    with pytest.raises(Trouble):
        Policy(policy(roots={"spool": {**ROOT, "path": path}}))


@pytest.mark.fault(42)
@pytest.mark.parametrize(
    "paths",
    [("/srv/dicom", None), ("/srv/dicom/aa", None), ("/srv/x/spool", "/srv/x/spool/deep"), ("/srv/a/b", "/srv/a/b")],
)
def test_roots_that_overlap(paths: tuple[str, str | None]) -> None:
    """A root in, around or equal to the store or another root: refused."""
    roots = {f"r{n}": {**ROOT, "path": path} for n, path in enumerate(paths) if path}
    with pytest.raises(Trouble, match="overlap"):
        Policy(policy(roots=roots, store="/srv/dicom"))


def test_a_root_around_the_store() -> None:
    """A root that holds the store is refused as one that lies in it."""
    with pytest.raises(Trouble, match="overlap"):
        Policy(policy(roots={"r": {**ROOT, "path": "/srv/pacs"}}, store="/srv/pacs/dicom"))


def test_neighbours_do_not_overlap() -> None:
    """A root whose name only begins like the store's is no part of it."""
    roots = {"a": {**ROOT, "path": "/srv/dicom2"}, "b": {**ROOT, "path": "/srv/dicom3"}}
    assert set(Policy(policy(roots=roots, store="/srv/dicom")).roots) == {"a", "b"}


@pytest.mark.parametrize(
    "changed",
    [
        {"patterns": []}, {"patterns": ["../*"]}, {"patterns": "*.log"}, {"patterns": [""]}, {"age_by": "atime"},
        {"older_than_seconds": -1}, {"older_than_seconds": "60"}, {"older_than_seconds": float("inf")},
        {"keep_quarantined_seconds": None}, {"command": "rm"},
    ],
)  # fmt: skip
def test_a_root_of_another_form(changed: dict[str, Any]) -> None:
    """A field that is missing, unknown or out of bounds: refused."""
    with pytest.raises(Trouble):
        Policy(policy(roots={"spool": {**ROOT, **changed}}))


@pytest.mark.parametrize(
    "service",
    [
        {}, {"unit": "orthanc", "timeout_seconds": 5}, {"unit": "--root=/x.service", "timeout_seconds": 5},
        {"unit": "a b.service", "timeout_seconds": 5}, {"unit": "a.service"}, {**COMMANDS, "start": []},
        {**COMMANDS, "start": ["bin/start"]}, {**COMMANDS, "start": "/opt/start"}, {**COMMANDS, "pid_file": "pid"},
        {**COMMANDS, "stop": ["/opt/stop", "a\0b"]}, {**COMMANDS, "timeout_seconds": 0}, {**COMMANDS, "shell": True},
    ],
)  # fmt: skip
def test_a_service_of_another_form(service: dict[str, Any]) -> None:
    """Only a systemd service by name, or argument lists with a path or a bare name."""
    with pytest.raises(Trouble):
        Policy(policy(services={"archive": service}))


@pytest.mark.parametrize("name", ["", "A", "../x", "a b", "x" * 64])
def test_names_are_names(name: str) -> None:
    """What a request may name is a short plain word."""
    with pytest.raises(Trouble):
        Policy(policy(roots={name: ROOT}))


@pytest.mark.parametrize("path", ["", "/etc/passwd", "..", "a/../b", "a//b", "a/", "./a", "a\0", "x" * 5000, None, 3])
def test_paths_of_objects_stay_below(path: Any) -> None:
    """A path that could lead out of the store, or is none, is never split into names to open."""
    with pytest.raises(ValueError, match="a path of an object"):
        parts(path)
