"""A practice PACS starts, is looked at, stops, and says in a sentence what is in its way."""

import json
import os
import socket
import stat
import tomllib
from pathlib import Path

import pytest

from maintainer.errors import Busy, MaintainerError, UsageError
from maintainer.practice.layout import ADDRESS, Layout, Ports, usable
from maintainer.practice.pacs import PracticePacs
from maintainer.practice.processes import is_free
from tests.practice_fixture import Practice, free_ports


def test_a_second_up_changes_nothing(shared_practice: Practice) -> None:
    """What runs goes on running, as the same processes."""
    before = shared_practice.pacs.status()
    assert {part.state for part in before} == {"running"}
    assert shared_practice.up() == before


def test_its_inventory_says_where_it_really_is(shared_practice: Practice) -> None:
    """Folder, ports and host key are those of this PACS, not those of the sample."""
    text = shared_practice.inventory.read_text("utf-8")
    node = tomllib.loads(text)["nodes"]["practice"]
    ports = shared_practice.ports
    assert (node["ssh"]["port"], node["database"]["port"], node["dicom"]["port"]) == (
        ports.ssh,
        ports.database,
        ports.dicom,
    )
    assert node["store"]["path"] == str(shared_practice.folder / "store")
    assert node["ssh"]["host_key"] == shared_practice.layout.known_hosts.read_text("ascii").split(" ", 1)[1].strip()
    assert "known_hosts" not in node["ssh"]
    assert "/tmp/maintainer-practice" not in text  # noqa: S108 (the sample's folder)


def test_nobody_else_can_read_its_secrets(shared_practice: Practice) -> None:
    """The folder lets its owner in only, and so does each secret."""
    layout = shared_practice.layout
    assert stat.S_IMODE(layout.folder.stat().st_mode) == 0o700
    for file in (layout.client_key, layout.host_key, layout.database_password, layout.superuser_password):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_a_healthy_one_has_nothing_to_clean(shared_practice: Practice) -> None:
    """No file matches the sample's cleanup rules, though old and odd files lie about."""
    cleanup = tomllib.loads(shared_practice.inventory.read_text("utf-8"))["nodes"]["practice"]["cleanup"]
    made = shared_practice.inventory.stat().st_mtime
    for name, days in {"spool": 1, "logs": 30}.items():
        root = Path(cleanup[name]["path"])
        ages = [made - file.stat().st_mtime for pattern in cleanup[name]["patterns"] for file in root.glob(pattern)]
        assert 0 < max(ages) < days * 86400


def test_down_leaves_no_process_and_up_starts_it_again(practice: Practice) -> None:
    """Every recorded process has ended, every port is free, and the data is still there on the next start."""
    before = practice.pacs.status()
    after = practice.down()
    assert {part.state for part in after} == {"stopped"}
    assert all(not Path(f"/proc/{part.pid}").exists() or _is_zombie(part.pid) for part in before)
    assert all(is_free(ADDRESS, part.port) for part in before)
    objects = sorted(practice.layout.store.rglob("*.dcm"))
    assert {part.state for part in practice.up()} == {"running"}
    assert sorted(practice.layout.store.rglob("*.dcm")) == objects


def test_down_ends_a_hung_archive_without_waiting_for_its_answer(practice: Practice) -> None:
    """SIGTERM cannot reach a suspended process, so it is ended by force at once."""
    practice.break_("hung-archive")
    assert [part.state for part in practice.pacs.status()] == ["running", "running", "hung"]
    assert {part.state for part in practice.down()} == {"stopped"}


def test_an_interrupted_up_is_made_anew(practice: Practice) -> None:
    """A folder whose making did not come to its end is not trusted in any part."""
    practice.layout.write_marker(practice.ports, complete=False)
    left = practice.layout.store / "half.part"
    left.write_bytes(b"half")
    practice.up()
    assert not left.exists()
    assert json.loads(practice.layout.marker.read_text("utf-8"))["complete"] is True


def test_a_taken_port_is_named_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """No server of ours is left running when one of them cannot have its port."""
    ports = free_ports()
    pacs = PracticePacs(tmp_path / "pacs", ports)
    with socket.create_server((ADDRESS, ports.dicom)), pytest.raises(MaintainerError) as caught:
        pacs.up()
    assert f"port {ports.dicom}, where dicom should listen, is taken by another program" in str(caught.value)
    assert all(part.state == "stopped" for part in pacs.status())


def test_a_port_that_was_taken_meanwhile_is_named_too(practice: Practice) -> None:
    """The sentence comes from another process, and comes whole."""
    practice.down()
    with socket.create_server((ADDRESS, practice.ports.ssh)), pytest.raises(MaintainerError) as caught:
        practice.up()
    port = practice.ports.ssh
    assert str(caught.value) == (
        f"{ADDRESS}:{port}: port {port}, where sshd should listen, is taken by another program"
        "\n  → end that program, or choose other ports: maintainer practice up --help"
    )


def test_an_interrupted_wipe_leaves_a_folder_that_is_still_known(practice: Practice) -> None:
    """The marker goes last, and says from the first removal on that the rest cannot be trusted."""
    practice.down()
    obstacle = practice.folder / "spool" / "file"
    obstacle.write_bytes(b"")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shutil.rmtree", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            practice.down(wipe=True)
    assert usable(practice.folder) == practice.folder
    assert not practice.layout.is_complete()
    assert practice.ports


def _interrupted(_: Path) -> None:
    raise KeyboardInterrupt


def test_other_ports_for_an_existing_one_are_refused(shared_practice: Practice) -> None:
    """Ports are written into its inventory and its keys, so they do not change by the way."""
    with pytest.raises(UsageError, match="was made with the ports"):
        PracticePacs(shared_practice.folder, Ports()).up()


def test_two_commands_at_once_do_not_mix(shared_practice: Practice) -> None:
    """The second one says that the folder is being worked on."""
    with shared_practice.pacs._alone(), pytest.raises(Busy, match="is at work here"):
        PracticePacs(shared_practice.folder).up()


def test_a_folder_with_other_things_is_never_taken(tmp_path: Path) -> None:
    """Neither up nor down --wipe may touch what a person keeps there."""
    (tmp_path / "thesis.txt").write_text("years of work", "utf-8")
    with pytest.raises(UsageError, match="holds things that are not of a practice PACS"):
        PracticePacs(tmp_path)


@pytest.mark.parametrize("name", ["with space", "quote'", "new\nline", 'double"'])
def test_a_path_that_scripts_would_have_to_quote_is_refused(tmp_path: Path, name: str) -> None:
    """The path is written into a shell script and into TOML."""
    with pytest.raises(UsageError, match="letters, digits and"):
        usable(tmp_path / name)


def test_a_link_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    """In /tmp anybody may leave a link that leads elsewhere."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(UsageError, match="it is not a folder"):
        usable(tmp_path / "link")


def test_somebody_elses_folder_is_refused(tmp_path: Path) -> None:
    """Whoever made it could have put keys of their own into it."""
    theirs = Path("/usr")
    if os.geteuid() == 0:
        theirs = tmp_path / "theirs"
        theirs.mkdir()
        os.chown(theirs, 65534, 65534)
    with pytest.raises(UsageError, match=f"belongs to user id {theirs.stat().st_uid}, not to you"):
        usable(theirs)


def test_looking_where_there_is_none_says_so(tmp_path: Path) -> None:
    """Nothing is made by looking or by breaking."""
    pacs = PracticePacs(tmp_path / "none")
    assert pacs.status() == ()
    assert pacs.down(wipe=True) == ()
    with pytest.raises(MaintainerError, match="there is no practice PACS here"):
        pacs.break_("all")
    assert not (tmp_path / "none").exists()


def test_a_marker_that_a_crash_cut_off_counts_as_none(tmp_path: Path) -> None:
    """The next up makes the PACS anew instead of stumbling over it."""
    layout = Layout(tmp_path)
    layout.marker.write_text('{"format": "maint', "utf-8")
    assert layout.ports() is None
    assert not layout.is_complete()


def _is_zombie(pid: int | None) -> bool:
    return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] == "Z"
