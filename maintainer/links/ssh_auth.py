"""Proving to a node who we are: by a key file or by ssh-agent, never by a password.

Source: RFC 4252, 7.
"""

import contextlib
import io
import os
import socket
from collections.abc import Iterator
from typing import Any

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm

from maintainer.errors import CouldNotLook, NodeUnreachable
from maintainer.links.deadline import Deadline
from maintainer.links.secrets import read_private_key
from maintainer.model.inventory import Node, Secret

_KINDS: tuple[type[paramiko.PKey], ...] = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)


@contextlib.contextmanager
def signers(name: str, node: Node, deadline: Deadline) -> Iterator[tuple[paramiko.PKey, ...]]:
    """Hand out the keys to try, in order.

    Raises:
        CouldNotLook: there is none, or the key file cannot be used.
    """
    if node.ssh.key is not None:
        yield (_load(node.ssh.key),)
        return
    with _agent(name, deadline) as agent:
        keys = agent.get_keys()
        if not keys:
            raise NodeUnreachable("ssh-agent holds no key", where=name, hint="ssh-add the key that the node knows")
        yield tuple(keys)


@contextlib.contextmanager
def _agent(name: str, deadline: Deadline) -> Iterator[paramiko.agent.AgentSSH]:
    """Talk to ssh-agent no longer than the deadline: one that asks a person first (ssh-add -c) would hold the run."""
    path = os.environ.get("SSH_AUTH_SOCK")
    if not path:
        raise NodeUnreachable(
            "no private key to log in with: the inventory names none and no ssh-agent runs (SSH_AUTH_SOCK is not set)",
            where=name,
            hint=f"write nodes.{name}.ssh.key, or start ssh-agent and ssh-add the key",
        )
    agent: Any = paramiko.agent.AgentSSH()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(deadline.left)
        try:
            connection.connect(path)
            agent._connect(connection)  # noqa: SLF001 (Agent() itself would wait without limit)
        except (paramiko.SSHException, OSError):
            raise NodeUnreachable(
                f"ssh-agent does not answer at {path}",
                where=name,
                hint=f"start it anew, or write nodes.{name}.ssh.key",
            ) from None
        yield agent


def _load(secret: Secret) -> paramiko.PKey:
    text, path = read_private_key(secret)
    if "PRIVATE KEY-----" not in text:
        raise CouldNotLook(
            "this is not a private key in OpenSSH or PEM form",
            where=path,
            hint="make one with: ssh-keygen -t ed25519 -N '' -f FILE (PuTTY's form: puttygen -O private-openssh)",
        )
    for kind in _KINDS:
        try:
            return kind.from_private_key(io.StringIO(text))
        except paramiko.PasswordRequiredException:
            raise CouldNotLook(
                "the private key is protected by a passphrase, and nobody is there at night to type it",
                where=path,
                hint="load it into ssh-agent, or make a key without passphrase for this purpose alone",
            ) from None
        except (paramiko.SSHException, UnsupportedAlgorithm, ValueError, IndexError):
            continue
    raise CouldNotLook(
        "the private key is damaged or of a type that is not supported",
        where=path,
        hint="use an ed25519, ecdsa or rsa key: ssh-keygen -t ed25519 -N '' -f FILE",
    )


def authenticate(
    name: str, node: Node, transport: paramiko.Transport, keys: tuple[paramiko.PKey, ...], deadline: Deadline
) -> None:
    """Log in with the first key that the node takes.

    Raises:
        NodeUnreachable: it takes none of them, wants more than a key, or closes the connection.
    """
    for key in keys:
        transport.auth_timeout = deadline.left
        try:
            further = transport.auth_publickey(node.ssh.user, key)
        except (paramiko.SSHException, EOFError, OSError) as error:
            _stop_unless_next_may_do(name, node, transport, error, deadline)
            continue
        if further:
            raise NodeUnreachable(
                f"the node wants {' and '.join(further)} besides the key of user {node.ssh.user}",
                where=name,
                hint="exempt this user from the second factor in sshd_config (Match User … AuthenticationMethods "
                "publickey)",
            )
        return
    tried = ", ".join(f"{key.get_name()} {key.fingerprint}" for key in keys)
    raise NodeUnreachable(
        f"the node does not take the key of user {node.ssh.user} ({tried})",
        where=name,
        hint=f"is the public key in ~{node.ssh.user}/.ssh/authorized_keys on the node, and this machine in its from=? "
        "The node's sshd logs the reason",
    )


def _stop_unless_next_may_do(
    name: str, node: Node, transport: paramiko.Transport, error: Exception, deadline: Deadline
) -> None:
    if isinstance(error, paramiko.BadAuthenticationType):
        raise NodeUnreachable(
            f"the node takes no keys from user {node.ssh.user}, only {', '.join(error.allowed_types)}",
            where=name,
            hint="set PubkeyAuthentication yes in sshd_config, and let this user in",
        ) from None
    if deadline.passed:
        raise NodeUnreachable(
            f"the node did not finish logging in user {node.ssh.user} within {deadline}",
            where=name,
            hint="an account service (LDAP, PAM) that the node asks may hang: try ssh -v by hand",
        ) from None
    if not transport.is_active():
        raise NodeUnreachable(
            f"the node closed the connection while user {node.ssh.user} logged in",
            where=name,
            hint="too many keys in ssh-agent (MaxAuthTries), or sshd stopped: its log on the node says which",
        ) from None
