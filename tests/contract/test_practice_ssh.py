"""The practice node's SSH server behaves as OpenSSH does where the agent relies on it."""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import paramiko
import psycopg
import pytest

from maintainer.practice.layout import ADDRESS, SSH_USER
from tests.practice_fixture import Practice

Ended = tuple[int, bytes, bytes]
Stream = socket.socket | paramiko.Channel


@pytest.fixture
def client(shared_practice: Practice) -> Iterator[paramiko.SSHClient]:
    """A client that pins the host key and has the right key."""
    with _connected(shared_practice) as connected:
        yield connected


@contextlib.contextmanager
def _connected(practice: Practice, user: str = SSH_USER, key: Path | None = None) -> Iterator[paramiko.SSHClient]:
    with paramiko.SSHClient() as connecting:
        connecting.load_host_keys(str(practice.layout.known_hosts))
        connecting.connect(
            ADDRESS,
            practice.ports.ssh,
            user,
            key_filename=str(key or practice.layout.client_key),
            allow_agent=False,
            look_for_keys=False,
            timeout=10,
        )
        yield connecting


def _run(client: paramiko.SSHClient, command: str, stdin: bytes = b"") -> Ended:
    transport = client.get_transport()
    assert transport is not None
    channel = transport.open_session(timeout=10)
    channel.settimeout(20)
    channel.exec_command(command)
    channel.sendall(stdin)
    channel.shutdown_write()
    stdout = channel.makefile("rb").read()
    stderr = channel.makefile_stderr("rb").read()
    return channel.recv_exit_status(), stdout, stderr


def test_streams_and_exit_status_come_back_apart(client: paramiko.SSHClient, shared_practice: Practice) -> None:
    """A command runs in the folder, as whoever started the PACS."""
    ended = _run(client, "pwd; id -u; echo trouble >&2; exit 7")
    assert ended == (7, f"{shared_practice.folder}\n{os.geteuid()}\n".encode(), b"trouble\n")


def test_a_program_travels_on_stdin_and_ends_with_it(client: paramiko.SSHClient) -> None:
    """Every byte arrives unchanged, and so does the end of the stream: `cat` would wait for ever without it."""
    for _ in range(10):  # what is lost when the pipe to the command fills up is lost now and then
        program = os.urandom(1_000_000)
        status, stdout, stderr = _run(client, "cat", program)
        assert (status, len(stdout), stdout == program, stderr) == (0, len(program), True, b"")


def test_output_after_the_end_of_input_still_comes(client: paramiko.SSHClient) -> None:
    """Closing one direction leaves the other open."""
    assert _run(client, "cat >/dev/null; sleep 0.2; echo late", b"x") == (0, b"late\n", b"")


def test_much_output_waits_for_a_slow_reader(client: paramiko.SSHClient) -> None:
    """More than one SSH window comes through whole, on both streams."""
    status, stdout, stderr = _run(client, "head -c 8000000 /dev/zero; head -c 3000 /dev/zero >&2")
    assert (status, len(stdout), len(stderr)) == (0, 8_000_000, 3_000)


def test_many_commands_at_once_do_not_mix(client: paramiko.SSHClient) -> None:
    """Channels of one connection are independent."""
    with ThreadPoolExecutor(8) as pool:
        ended = list(pool.map(lambda n: _run(client, f"sleep 0.1; echo {n}; exit {n}"), range(12)))
    assert ended == [(n, f"{n}\n".encode(), b"") for n in range(12)]


def test_a_command_that_a_signal_ended_has_no_exit_status(client: paramiko.SSHClient) -> None:
    """It is reported as a signal, which paramiko shows as -1."""
    assert _run(client, "kill -TERM $$")[0] == -1


def test_a_command_not_found_is_the_shells_answer(client: paramiko.SSHClient) -> None:
    """127 and a word on stderr."""
    status, _, stderr = _run(client, "no-such-program")
    assert status == 127
    assert b"not found" in stderr


def test_a_lost_client_ends_its_command_but_not_what_was_detached(shared_practice: Practice, tmp_path: Path) -> None:
    """Whoever waits for the command is gone; a process in a session of its own has been launched to stay."""
    attached, detached = tmp_path / "attached", tmp_path / "detached"
    command = f"setsid sleep 30 >/dev/null 2>&1 </dev/null & echo $! > {detached}; echo $$ > {attached}; sleep 30; true"
    with _connected(shared_practice) as client:
        transport = client.get_transport()
        assert transport is not None
        transport.open_session(timeout=10).exec_command(command)
        _until(lambda: attached.exists() and attached.read_text("ascii").endswith("\n"))
        # It was started first, but until it has called setsid it still belongs to the command.
        pid = int(detached.read_text("ascii"))
        _until(lambda: os.getsid(pid) == pid)
    try:
        _until(lambda: not _lives(attached))
        assert _lives(detached)
    finally:
        os.kill(pid, 15)


def test_another_key_is_refused(shared_practice: Practice) -> None:
    """The host's own key is a key, but not one that may log in."""
    with (
        pytest.raises(paramiko.AuthenticationException),
        _connected(shared_practice, key=shared_practice.layout.host_key),
    ):
        pass


def test_another_user_is_refused(shared_practice: Practice) -> None:
    """Also with the right key."""
    with pytest.raises(paramiko.AuthenticationException), _connected(shared_practice, user="root"):
        pass


def test_a_password_is_not_asked_for(shared_practice: Practice) -> None:
    """Public keys are the only way in."""
    with contextlib.closing(paramiko.Transport((ADDRESS, shared_practice.ports.ssh))) as transport:
        transport.start_client(timeout=10)
        with pytest.raises(paramiko.BadAuthenticationType) as caught:
            transport.auth_password(SSH_USER, "practice")
    assert caught.value.allowed_types == ["publickey"]


def test_no_terminal_and_no_shell_is_given(client: paramiko.SSHClient) -> None:
    """Cutting a terminal's session kills the command in it, so there is none."""
    transport = client.get_transport()
    assert transport is not None
    for ask in ("get_pty", "invoke_shell"):
        with contextlib.closing(transport.open_session(timeout=10)) as channel, pytest.raises(paramiko.SSHException):
            getattr(channel, ask)()


def test_the_tunnel_leads_to_the_database(
    client: paramiko.SSHClient, shared_practice: Practice, tmp_path: Path
) -> None:
    """PostgreSQL answers through it, as the role that the inventory names."""
    password = shared_practice.layout.database_password.read_text("ascii").strip()
    with _forwarded(client, shared_practice.ports.database, tmp_path) as port:
        conninfo = f"host={tmp_path} port={port} dbname=pacs user=maintainer"
        with psycopg.connect(conninfo, password=password) as database:
            assert database.execute("SELECT count(*) FROM objects").fetchone() == (116,)


def test_the_tunnel_leads_nowhere_else(client: paramiko.SSHClient, shared_practice: Practice) -> None:
    """Neither to another port of this machine nor to another machine."""
    transport = client.get_transport()
    assert transport is not None
    for target in ((ADDRESS, shared_practice.ports.dicom), ("127.0.0.2", shared_practice.ports.database)):
        with pytest.raises(paramiko.ChannelException, match="Administratively prohibited"):
            transport.open_channel("direct-tcpip", target, (ADDRESS, 0), timeout=10)


@contextlib.contextmanager
def _forwarded(client: paramiko.SSHClient, port: int, folder: Path) -> Iterator[int]:
    """Carry one connection of a unix socket through the tunnel; both ends may close first."""
    transport = client.get_transport()
    assert transport is not None
    with socket.socket(socket.AF_UNIX) as listener, ThreadPoolExecutor(2) as pool:
        listener.bind(str(folder / ".s.PGSQL.5432"))
        listener.listen(1)

        def carry() -> None:
            near, _ = listener.accept()
            far = transport.open_channel("direct-tcpip", (ADDRESS, port), (ADDRESS, 0), timeout=10)
            with near, contextlib.closing(far):
                back = pool.submit(_pump, far, near)
                _pump(near, far)
                back.result(10)

        carried = pool.submit(carry)
        yield 5432
        carried.result(10)


def _pump(source: Stream, target: Stream) -> None:
    while data := source.recv(65536):
        target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _lives(pid_file: Path) -> bool:
    stat = Path(f"/proc/{pid_file.read_text('ascii').strip()}/stat")
    return stat.exists() and stat.read_text("ascii").rpartition(")")[2].split()[0] not in "ZX"


def _until(condition: Callable[[], bool], seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come to pass in time"
        time.sleep(0.02)
