"""What state a service is in, as systemd or its own status command and pid file tell."""

import os
import stat
import time
from collections import namedtuple
from datetime import datetime, timedelta, timezone

from maintainer.node import commands
from maintainer.node.policy import Unit

RUNNING, STOPPED, UNKNOWN = "running", "stopped", "unknown"

_LSB_STOPPED = (1, 2, 3)  # dead with a pid file, dead with a lock, not running. Source: LSB Core, "Init Script Actions"
_UNIT_STATES = {"active": RUNNING, "reloading": RUNNING, "inactive": STOPPED, "failed": STOPPED}
_PROPERTIES = "LoadState,ActiveState,SubState,MainPID,ActiveEnterTimestampMonotonic"
# A daemon writes its pid file after it was started; a much younger process has only inherited the number.
_SLACK = timedelta(seconds=60)
_STATUS_SECONDS = 30
_SILENT = "systemctl did not answer"
_SEEN: "dict[object, State]" = {}


class State(namedtuple("State", ["state", "pid", "started_at", "detail"])):
    """`started_at` as an instant in UTC, ISO 8601; None where it cannot be told."""

    __slots__ = ()


class Process(namedtuple("Process", ["pid", "started_at"])):
    """A process that lives; `started_at` is a datetime in UTC."""

    __slots__ = ()


def state_of(service, seconds):
    """Ask once; what cannot be found out within `seconds` is unknown, never stopped."""
    seconds = min(seconds, _STATUS_SECONDS)
    try:
        return _unit_state(service, seconds) if isinstance(service, Unit) else _command_state(service, seconds)
    except OSError as error:
        return _unknown("the status could not be asked for: {}".format(error.strerror))


def seen(service, seconds):
    """The state as the questions of one look see it, asked for once: a process answers one request and ends."""
    if service not in _SEEN:
        _SEEN[service] = state_of(service, seconds)
    return _SEEN[service]


def lives(state):
    """Whether what ran then still does, without asking for its status."""
    return state.state == RUNNING and (state.pid is None or _process(state.pid) is not None)


def is_silent(state):
    """Whether it is unknown because systemd could not be asked."""
    return state.detail.startswith(_SILENT)


def _unit_state(service, seconds):
    argv = ["systemctl", "show", "--no-pager", "--property=" + _PROPERTIES, "--", service.unit]
    result = commands.run(argv, seconds, environment=systemctl_environment())
    fields = dict(word.split("=", 1) for word in result.output.split() if "=" in word)
    if result.status != 0 or "ActiveState" not in fields:
        return _unknown("{}: {}".format(_SILENT, result.output or result.status))
    if fields.get("LoadState") != "loaded":
        return _unknown("systemd has no such unit ({})".format(fields.get("LoadState")))
    detail = "{} ({})".format(fields["ActiveState"], fields.get("SubState"))
    state = _UNIT_STATES.get(fields["ActiveState"], UNKNOWN)
    if state != RUNNING:
        return State(state, None, None, detail)
    process = _process(int(fields.get("MainPID", "0")))
    if process:
        return State(RUNNING, process.pid, _iso(process.started_at), detail)
    since = int(fields.get("ActiveEnterTimestampMonotonic", "0")) / 1e6
    started = _now() - timedelta(seconds=time.monotonic() - since)
    return State(RUNNING, None, _iso(started) if since else None, detail)


def _command_state(service, seconds):
    result = commands.run(service.status, seconds)
    process, why = _process_of(service.pid_file)
    if result.status is None:
        return _unknown("the status command did not end within {:.0f} s".format(seconds))
    if result.status == 0 and process:
        return State(RUNNING, process.pid, _iso(process.started_at), result.output)
    if result.status == 0:
        return _unknown("the status command says running, but " + why)
    if result.status in _LSB_STOPPED and process:
        return _unknown("the status command says stopped, but process {} of the pid file lives".format(process.pid))
    if result.status in _LSB_STOPPED:
        return State(STOPPED, None, None, result.output or why)
    return _unknown("the status command ended with {}: {}".format(result.status, result.output))


def _process_of(pid_file):
    """The living process that a pid file names, or None and why not."""
    try:
        with open(pid_file, "rb", opener=_open_plain) as file:
            written_at = datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, timezone.utc)
            pid = int(file.read(32).split()[0])
    except (OSError, ValueError, IndexError) as error:
        missing = isinstance(error, FileNotFoundError)
        return None, "there is no pid file" if missing else "the pid file cannot be read"
    process = _process(pid)
    if process is None:
        return None, "process {} of the pid file is gone".format(pid)
    if process.started_at > written_at + _SLACK:
        return None, "process {} is younger than the pid file: the number went to another program".format(pid)
    return process, ""


def _open_plain(path, flags):
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError("not a regular file")
    return descriptor


def _process(pid):
    """A process that lives; a zombie does not."""
    if pid < 1:
        return None
    try:
        with open("/proc/{}/stat".format(pid), "rb") as file:
            # The command's name stands in parentheses and may itself hold parentheses and spaces.
            fields = file.read().rpartition(b")")[2].split()
    except (OSError, OverflowError):
        return None
    if fields[0] in (b"Z", b"X"):
        return None
    seconds = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return Process(pid, datetime.fromtimestamp(_boot_time() + seconds, timezone.utc))


def _boot_time():
    with open("/proc/stat") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("btime "))


def systemctl_environment():
    return dict(os.environ, LC_ALL="C", SYSTEMD_COLORS="0", SYSTEMD_PAGER="")


def _unknown(detail):
    return State(UNKNOWN, None, None, detail[:400])


def _now():
    return datetime.now(timezone.utc)


def _iso(moment):
    return moment.replace(microsecond=0, tzinfo=None).isoformat() + "Z"
