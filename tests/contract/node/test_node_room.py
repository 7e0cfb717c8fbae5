"""What the program `room` says of a file system, on this machine."""

import os
import subprocess
from pathlib import Path

import pytest

from maintainer.links.node_shapes import SHAPES
from maintainer.node.deadline import Deadline
from tasks.node import observe_room


def test_room_is_that_of_where_a_link_leads(tmp_path: Path) -> None:
    """A path is followed, as the database follows it; one that is not here has no answer."""
    link, gone = tmp_path / "data", str(tmp_path / "gone")
    link.symlink_to("/proc")
    asked = {"paths": [str(tmp_path), str(link), gone]}
    found = observe_room.run(asked, None, Deadline(5))
    SHAPES["room"].validate_python(found)
    assert found.keys() == {str(tmp_path), str(link)}
    assert found[str(link)]["total_bytes"] == 0
    room = os.statvfs(tmp_path)
    assert found[str(tmp_path)]["total_bytes"] == room.f_blocks * room.f_frsize > 0


def test_whether_the_disk_is_told_of_files_that_go(tmp_path: Path) -> None:
    """As its file system is mounted; /proc has no disk."""
    asked = {"paths": [str(tmp_path), "/proc"]}
    found = observe_room.run(asked, None, Deadline(5))
    argv = ["findmnt", "--noheadings", "--output", "OPTIONS", "--target", str(tmp_path)]
    options = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip().split(",")
    assert found[str(tmp_path)]["discards"] is ("discard" in options)
    assert found["/proc"]["discards"] is False


@pytest.mark.parametrize("paths", [["here"], ["/a\0b"], [7], "/", ["/"] * 101])
def test_what_is_no_list_of_absolute_paths_is_refused(paths: object) -> None:
    """A request is not believed."""
    with pytest.raises(ValueError, match="room takes"):
        observe_room.run({"paths": paths}, None, Deadline(5))
