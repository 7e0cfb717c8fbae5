"""What the shipped units promise: a dedicated user, no second chance in the morning, a polite end, a locked room."""

import re
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).parents[2] / "systemd"
RUN = SYSTEMD / "maintainer-run.service"
TIMER = SYSTEMD / "maintainer-run.timer"

Unit = dict[str, dict[str, list[str]]]


def read(path: Path) -> Unit:
    """Read a unit: section → setting → its values, in order. Settings may be repeated, so it is not an INI file."""
    unit: Unit = {}
    section = ""
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            unit.setdefault(section, {}).setdefault(name, []).append(value)
    return unit


def test_the_run_is_unattended_and_has_a_user_of_its_own() -> None:
    """It names its inventory and writes to its own folders alone."""
    service = read(RUN)["Service"]
    command = (
        "/opt/maintainer/bin/maintainer --inventory /etc/maintainer/inventory.toml --log-format json run --unattended"
    )
    assert service["ExecStart"] == [command]
    assert (service["User"], service["Group"]) == (["maintainer"], ["maintainer"])
    assert (service["StateDirectory"], service["RuntimeDirectory"]) == (["maintainer"], ["maintainer"])
    assert (service["StateDirectoryMode"], service["UMask"]) == (["0700"], ["0077"])


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"),
        ("PrivateDevices", "yes"),
        ("ProtectKernelTunables", "yes"),
        ("ProtectKernelModules", "yes"),
        ("ProtectKernelLogs", "yes"),
        ("ProtectControlGroups", "yes"),
        ("ProtectClock", "yes"),
        ("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6"),
        ("MemoryDenyWriteExecute", "yes"),
        ("SystemCallArchitectures", "native"),
    ],
)
def test_the_room_is_locked(setting: str, value: str) -> None:
    """Each promise of README.md about what the service can reach is a setting of the unit."""
    assert read(RUN)["Service"][setting] == [value]


def test_only_the_calls_of_an_ordinary_service_are_let_through() -> None:
    """The allow list comes first: a deny list alone would allow all the rest."""
    assert read(RUN)["Service"]["SystemCallFilter"] == ["@system-service", "~@privileged @resources"]


def test_the_run_ends_politely_before_it_is_killed() -> None:
    """SIGTERM to the main process, time to finish, a second SIGTERM that cuts the links, and only then SIGKILL."""
    service = read(RUN)["Service"]
    assert (service["KillMode"], service["KillSignal"]) == (["mixed"], ["SIGTERM"])
    assert (service["TimeoutStopFailureMode"], service["WatchdogSignal"]) == (["abort"], ["SIGTERM"])
    assert (service["TimeoutStopSec"], service["TimeoutAbortSec"]) == (["20min"], ["60s"])


def test_whatever_is_not_fine_fails_the_unit_and_is_not_repeated() -> None:
    """Exit code 1 means findings; a unit that calls them a success would keep them from OnFailure=."""
    unit = read(RUN)
    assert unit["Service"]["Type"] == ["oneshot"]
    assert unit["Service"]["Restart"] == ["no"]
    assert "SuccessExitStatus" not in unit["Service"]


def test_nothing_skips_a_night_in_silence() -> None:
    """A condition or assertion that does not hold starts no OnFailure= unit; the program's own exit code does."""
    assert not [name for name in read(RUN)["Unit"] if name.startswith(("Condition", "Assert"))]


def test_a_missed_night_is_not_caught_up() -> None:
    """A controller that was off at night must not start its work when the clinic opens; and a minute late is enough."""
    timer = read(TIMER)["Timer"]
    assert timer["Persistent"] == ["false"]
    assert (timer["AccuracySec"], timer["RandomizedDelaySec"]) == (["1min"], ["0"])
    assert timer["Unit"] == [RUN.name]


def test_secrets_are_examples_only() -> None:
    """No credential is loaded by the unit as shipped: a missing file would keep the run from starting."""
    text = RUN.read_text("utf-8")
    assert re.search(r"^#LoadCredential=", text, re.MULTILINE)
    assert not re.search(r"^LoadCredential", text, re.MULTILINE)


def test_the_install_steps_name_what_the_unit_needs() -> None:
    """Paths, user and units in README.md are those of the unit."""
    readme = (SYSTEMD / "README.md").read_text("utf-8")
    needed = ["useradd --system", "/opt/maintainer", "/etc/maintainer/inventory.toml", RUN.name, TIMER.name, "--timer"]
    assert [word for word in needed if word not in readme] == []
