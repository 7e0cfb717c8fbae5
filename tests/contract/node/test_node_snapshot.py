"""What the node tells of itself before and after a person's work, asked of the real program."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from maintainer.errors import CouldNotLook
from maintainer.node.observe_snapshot import MAX_FILES
from tests.contract.node.own_node import OwnNode, manifest


@pytest.fixture
def configured(own_node: OwnNode) -> OwnNode:
    """A node with a folder of configuration files, some of which are watched."""
    folder = own_node.base / "etc"
    folder.mkdir()
    for name in ("orthanc.json", "worklists.json", "notes.txt", ".hidden.json"):
        (folder / name).write_text(name, "utf-8")
    own_node.policy["watch"] = [f"{folder}/*.json", f"{folder}/absent.conf"]
    return own_node


def files(node: OwnNode) -> dict[str, Any]:
    """Files of the answer, by their names alone."""
    return {os.path.basename(path): file for path, file in node.observe("snapshot")["files"].items()}  # noqa: PTH119 (of a text)


def test_a_snapshot_tells_versions_states_and_room(configured: OwnNode) -> None:
    """Kernel, boot, services by their state, and the free space where the declared folders lie."""
    status = configured.base / "status"
    status.write_text("#!/bin/sh\nexit 3\n", "utf-8")
    status.chmod(0o755)
    argv = [str(status)]
    commands = {"start": argv, "stop": argv, "status": argv, "pid_file": "/run/none.pid", "timeout_seconds": 5}
    configured.policy["services"]["viewer"] = commands
    answer = configured.observe("snapshot")
    assert answer["kernel"] == os.uname().release
    assert answer["boot_id"]
    assert answer["services"]["viewer"]["state"] == "stopped"
    assert all(free > 0 for free in answer["free_bytes"].values())
    assert answer["free_bytes"]


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="this system has no dpkg")
def test_packages_are_those_of_dpkg(configured: OwnNode) -> None:
    """Every installed package with its version, as dpkg-query itself lists it."""
    form = "--showformat=${db:Status-Abbrev} ${binary:Package} ${Version}\n"
    said = subprocess.run(["dpkg-query", "--show", form], capture_output=True, text=True, check=True).stdout
    installed = dict(line.split()[1:] for line in said.splitlines() if line.startswith(("ii", "hi")))
    assert configured.observe("snapshot")["packages"] == installed


def test_without_dpkg_packages_are_not_told(configured: OwnNode, tmp_path: Path) -> None:
    """Another system's packages are unknown, which is not the same as none."""
    configured.how["env"] = {"PATH": str(tmp_path / "nothing")}
    assert configured.observe("snapshot")["packages"] is None


def test_watched_files_are_told_by_digest(configured: OwnNode) -> None:
    """Those that fit, as a shell would fit them; a named one that is absent is said to be."""
    found = files(configured)
    assert set(found) == {"orthanc.json", "worklists.json", "absent.conf"}
    digest = hashlib.sha256(b"orthanc.json").hexdigest()
    assert found["orthanc.json"] == {"sha256": digest, "bytes": 12, "problem": ""}
    assert found["absent.conf"] == {"sha256": None, "bytes": 0, "problem": "missing"}


def test_what_is_no_plain_file_is_not_opened(configured: OwnNode) -> None:
    """A pipe would hold the program, a folder has no digest; a link is followed to the file that is really read."""
    folder = configured.base / "etc"
    os.mkfifo(folder / "pipe.json")
    (folder / "folder.json").mkdir()
    (folder / "link.json").symlink_to(folder / "notes.txt")
    (folder / "broken.json").symlink_to(folder / "nowhere")
    found = files(configured)
    assert {name: found[name]["problem"] for name in ("pipe.json", "folder.json", "broken.json", "link.json")} == {
        "pipe.json": "not-regular",
        "folder.json": "not-regular",
        "broken.json": "missing",
        "link.json": "",
    }
    assert found["link.json"]["sha256"] == hashlib.sha256(b"notes.txt").hexdigest()


def test_a_folder_full_of_files_is_bounded(configured: OwnNode) -> None:
    """More than the limit is said to be more; names that are no text arrive as something readable."""
    folder = configured.base / "etc"
    (folder / "\udcff.json").touch()
    assert "?.json" in files(configured)
    for number in range(MAX_FILES + 1):
        (folder / f"{number}.json").touch()
    answer = configured.observe("snapshot")
    assert (len(answer["files"]), answer["more"]) == (MAX_FILES, True)


def test_looking_changes_nothing(configured: OwnNode) -> None:
    """The node's folders are as they were."""
    before = manifest(configured.base)
    configured.observe("snapshot")
    assert manifest(configured.base) == before


@pytest.mark.parametrize(
    "pattern", ["{store}/*", "{store}/aa/x", "/proc/1/environ", "/etc/*/x.json", "etc/x", "/etc/../x"]
)
def test_only_configuration_is_watched(own_node: OwnNode, pattern: str) -> None:
    """Objects of patients, the kernel's files and folders by wildcard are refused, whatever a request's policy says."""
    own_node.policy["watch"] = [pattern.format(store=own_node.store)]
    with pytest.raises(CouldNotLook):
        own_node.observe("snapshot")
