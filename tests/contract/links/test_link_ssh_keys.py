"""Who is believed over SSH, and what opens the door: host keys, algorithms, and our own key."""

import subprocess
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from maintainer.errors import NodeUnreachable
from maintainer.links.ssh import SshLink
from tests.contract.links.servers import (
    SshServer,
    Start,
    wait_for,
    write_key,
)

PLENTY = timedelta(seconds=30)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_each_type_of_host_key_can_be_pinned(start: Start, kind: str) -> None:
    """The node presents the type that is written, whatever else it would prefer."""
    server = start(kind=kind)
    with SshLink.connect("pacs-a", server.node()) as link:
        assert link.run("true", b"", PLENTY).status == 0


@pytest.mark.fault(17)
def test_a_changed_host_key_is_refused_with_both_fingerprints(server: SshServer, tmp_path: Path) -> None:
    """A machine that is not the pinned one is told nothing, and the sentence lets a person compare."""
    other = write_key(tmp_path / "other")
    with pytest.raises(NodeUnreachable, match="host key has changed") as refusal:
        SshLink.connect("pacs-a", server.node(host_key=other))
    assert refusal.value.what.count("SHA256:") == 2
    assert "nodes.pacs-a.ssh.host_key" in refusal.value.hint
    assert "own console" in refusal.value.hint


@pytest.mark.fault(17)
def test_a_host_key_of_another_type_is_refused(server: SshServer, tmp_path: Path) -> None:
    """A node that has no key of the pinned type is not believed by another one."""
    with pytest.raises(NodeUnreachable, match="no host key of type ssh-rsa"):
        SshLink.connect("pacs-a", server.node(host_key=write_key(tmp_path / "other", "rsa")))


def test_a_known_hosts_line_lets_the_node_in(server: SshServer, tmp_path: Path) -> None:
    """The file is read as sshd(8) describes it: [host]:port, several types, other markers."""
    file = tmp_path / "known_hosts"
    other, authority = write_key(tmp_path / "other", "rsa"), write_key(tmp_path / "authority")
    file.write_text(
        f"# ours\n@cert-authority *.example {authority}\n[127.0.0.1]:{server.port} {other}\n"
        f"pacs-b,[127.0.0.1]:{server.port} {server.public_key} root@pacs-a\n"
    )
    with SshLink.connect("pacs-a", server.node(known_hosts=file)) as link:
        assert link.alive()


def test_a_revoked_key_is_refused(server: SshServer, tmp_path: Path) -> None:
    """A key that the file revokes is refused even when another key of its type is accepted."""
    file = tmp_path / "known_hosts"
    host, other = f"[127.0.0.1]:{server.port}", write_key(tmp_path / "other")
    file.write_text(f"@revoked * {server.public_key}\n{host} {server.public_key}\n{host} {other}\n")
    with pytest.raises(NodeUnreachable, match="revokes"):
        SshLink.connect("pacs-a", server.node(known_hosts=file))


@pytest.mark.fault(20)
@pytest.mark.parametrize(
    ("weak", "setting"), [("ciphers", "Ciphers aes256"), ("macs", "MACs hmac"), ("kex", "KexAlgorithms curve")]
)
def test_a_server_of_weak_algorithms_only_is_refused(start: Start, weak: str, setting: str) -> None:
    """CBC, SHA-1 and MD5 are never agreed on; the sentence names the setting that helps."""
    server = start(weak=weak)
    with pytest.raises(NodeUnreachable, match="no longer safe") as refusal:
        SshLink.connect("pacs-a", server.node())
    assert setting in refusal.value.hint
    timers = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    wait_for(lambda: not any(timer.is_alive() for timer in timers), seconds=1)


def test_a_key_that_the_node_does_not_take_is_said(server: SshServer, tmp_path: Path) -> None:
    """The sentence names our key's fingerprint and where to write its public half."""
    write_key(tmp_path / "stranger")
    with pytest.raises(NodeUnreachable, match="does not take the key") as refusal:
        SshLink.connect("pacs-a", server.node(key=tmp_path / "stranger"))
    assert "SHA256:" in refusal.value.what
    assert "authorized_keys" in refusal.value.hint


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_other_types_of_our_own_key(server: SshServer, tmp_path: Path, kind: str) -> None:
    """An ecdsa or rsa key logs in as well."""
    with (server.folder / "authorized_keys").open("a") as file:
        file.write(write_key(tmp_path / "mine", kind) + "\n")
    with SshLink.connect("pacs-a", server.node(key=tmp_path / "mine")) as link:
        assert link.run("true", b"", PLENTY).status == 0


@pytest.mark.parametrize("make", ["openssh"])
def test_a_key_that_ssh_agent_holds(server: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key in the inventory, ssh-agent signs; a key that the node does not know is tried and passed over."""
    path = tmp_path / "agent"
    write_key(tmp_path / "stranger")
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    try:
        wait_for(path.exists)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        for key in (tmp_path / "stranger", server.client_key):
            subprocess.run(["ssh-add", "-q", str(key)], check=True)
        node = server.node()
        node = node.model_copy(update={"ssh": node.ssh.model_copy(update={"key": None})})
        with SshLink.connect("pacs-a", node) as link:
            assert link.run("env", b"", PLENTY).stdout.count(b"SSH_AUTH_SOCK") == 0
    finally:
        agent.kill()
        agent.wait(5)


@pytest.mark.parametrize("make", ["openssh"])
def test_a_second_factor_is_said(start: Start) -> None:
    """A node that wants more than a key cannot be looked after by night."""
    server = start(options=("AuthenticationMethods publickey,publickey",))
    with pytest.raises(NodeUnreachable, match="besides the key"):
        SshLink.connect("pacs-a", server.node())
