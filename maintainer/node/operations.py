"""Operations that outlive the connection which asked for them: what was launched, what runs, how it ended.

`<id>.launch` is written before anything begins, `<id>.json` is the verdict. While one runs, it holds the lock on
`running`, which names it; so there is one at a time, and a lock that nobody holds means that nothing runs, whoever was
killed.
"""

import fcntl
import os
import re
import time
from datetime import datetime, timezone

from maintainer.node import state
from maintainer.node.envelope import BadRequest, Failed

FORMAT = "maintainer.operation/1"
RUNNING, FINISHED, VANISHED, INTERRUPTED, UNKNOWN_ID = "running", "finished", "vanished", "interrupted", "unknown-id"
LAUNCH, RESULT = ".launch", ".json"
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}\Z")
_HOLDER = "running"
_MOST_KEPT = 200
_FILES_OF_ONE = 2
_LONGEST_KEPT = 90 * 86400
_STARTING = 5.0
_TOLD = ("started_at", "ended_at", "ok", "answer", "error")
BEGUN = dict(dict.fromkeys(("program", "launched_at", *_TOLD)), state=RUNNING)
"""What is answered about an operation that was launched and could not be looked at since."""


def check_id(value):
    if not isinstance(value, str) or not _ID.match(value):
        raise BadRequest("request.id is not an id of small letters, digits and hyphens")
    return value


def folder(path):
    return os.path.join(path, "operations")


def launch_of(path, key):
    """What was asked for under this id; None when nothing was."""
    return state.read(os.path.join(folder(path), key + LAUNCH))


def result_of(path, key):
    """The verdict; None while there is none."""
    return state.read(os.path.join(folder(path), key + RESULT))


def write_launch(path, key, asked):
    """Note the request that is about to be begun, on the disk before it is.

    Raises:
        Failed: it cannot be written, so nothing begins.
    """
    _write(path, key + LAUNCH, {"format": FORMAT, "asked": asked, "boot_id": boot_id(), "launched_at": now()})


def write_result(path, key, fields):
    _write(path, key + RESULT, dict(fields, format=FORMAT, id=key, boot_id=boot_id(), ended_at=now()))


def forget_launch(path, key):
    """Take back a note of what did not begin."""
    state.forget(os.path.join(folder(path), key + LAUNCH))


def hold_running(path, key):
    """Lock `running` for as long as this process and those that it forks live; answers its descriptor.

    Raises:
        Failed: another operation has it.
    """
    descriptor = state.open_lock(os.path.join(folder(path), _HOLDER))
    if not state.lock(descriptor, fcntl.LOCK_EX, _STARTING):
        os.close(descriptor)
        raise Failed("another operation still runs on this node")
    state.inscribe(descriptor, "{} {} {}".format(key, os.getpid(), started(os.getpid())))
    return descriptor


def holder(path):
    """Who holds `running`: (id, process, its start); None when nobody does. The id is empty while it begins."""
    try:
        descriptor = os.open(os.path.join(folder(path), _HOLDER), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        if state.lock(descriptor, fcntl.LOCK_SH, 0):
            return None
        words = os.pread(descriptor, state.LINE, 0).decode("ascii", "replace").split()
        return (words[0], int(words[1]), words[2]) if len(words) == 3 else ("", 0, "")  # noqa: PLR2004 (the three of hold_running)
    finally:
        os.close(descriptor)


def running(path):
    """Id of the operation that runs; None when none does."""
    found = holder(path)
    return found[0] if found else None


def look(path, key):
    """How an operation stands, as (state, verdict or None)."""
    result = result_of(path, key)
    if result is not None:
        return FINISHED, result
    launch = launch_of(path, key)
    if launch is None:
        return UNKNOWN_ID, None
    if launch["boot_id"] != boot_id():
        return INTERRUPTED, None
    if running(path) in (key, "") or _is_starting(launch):
        return RUNNING, None
    # It may have ended between the two looks.
    result = result_of(path, key)
    return (FINISHED, result) if result is not None else (VANISHED, None)


def _is_starting(launch):
    """Between the note and the lock it is neither; a note of the future is one of a clock that was set."""
    since = time.time() - _seconds(launch["launched_at"])
    return 0 <= since < _STARTING


def told(path, key, seconds):
    """What is answered about it, as soon as it no longer runs or the time is over."""
    found, result = wait(path, key, seconds)
    launched = launch_of(path, key)
    answer = {
        "state": found,
        "program": launched["asked"]["program"] if launched else None,
        "launched_at": launched["launched_at"] if launched else None,
    }
    return dict(answer, **{what: (result or {}).get(what) for what in _TOLD})


def wait(path, key, seconds):
    """Look until it no longer runs, or the time is over."""
    until, pause = time.monotonic() + seconds, 0.01
    while True:
        found = look(path, key)
        if found[0] != RUNNING or time.monotonic() >= until:
            return found
        time.sleep(min(pause, max(0.0, until - time.monotonic())))
        pause = min(pause * 1.3, 0.25)


def prune(path):
    """Forget the oldest: what is beyond 200, or older than 90 days, but never what runs."""
    kept = running(path)
    with os.scandir(folder(path)) as found:
        files = [entry for entry in found if entry.name.endswith((LAUNCH, RESULT)) and _key(entry) != kept]
    aged = sorted(((entry.stat(follow_symlinks=False).st_mtime, entry.path) for entry in files), reverse=True)
    limit = time.time() - _LONGEST_KEPT
    for position, (changed, old) in enumerate(aged):
        if position >= _FILES_OF_ONE * _MOST_KEPT or changed < limit:
            state.forget(old)


def _key(entry):
    return entry.name.split(".", 1)[0]


def boot_id():
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.readline(64).strip()


def started(pid):
    """When a process was started, in ticks since boot: with its number, the one process and no later one."""
    with open("/proc/{}/stat".format(pid), "rb") as file:
        return file.read().rpartition(b")")[2].split()[19].decode("ascii")


def now():
    return datetime.now(timezone.utc).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _seconds(instant):
    return datetime.strptime(instant, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc).timestamp()


def _write(path, name, fields):
    try:
        state.keep(os.path.join(state.make(folder(path)), name), fields)
    except OSError as error:
        what = "this node cannot note what it does: {}: {}".format(folder(path), error.strerror)
        raise Failed(what, "make room there, or see why it is read-only") from error
