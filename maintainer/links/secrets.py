"""Reads a secret from where the inventory says it lies, and from nowhere that others can read.

No message of this module ever contains what was read.
"""

import os
import stat
from pathlib import Path

from maintainer.errors import CouldNotLook
from maintainer.model.inventory import Secret, SecretFile

_BOUND = 65_536


def read_secret(secret: Secret) -> str:
    """Read a secret of one line, such as a password.

    Raises:
        CouldNotLook: it is not there, others can read it, or it is not one line of text.
    """
    path = _path(secret)
    line = _text(path, _read(path, secret)).removesuffix("\n").removesuffix("\r")
    if not line:
        raise CouldNotLook("the secret is empty", where=str(path), hint="write the secret as the file's only line")
    if not line.isprintable():
        raise CouldNotLook(
            "the secret is not one line of text",
            where=str(path),
            hint="write the secret as the file's only line, without control characters",
        )
    return line


def read_private_key(secret: Secret) -> tuple[str, str]:
    """Read a private key of several lines; answers its text and the path it was read from.

    Raises:
        CouldNotLook: it is not there, others can read it, or it is not text.
    """
    path = _path(secret)
    return _text(path, _read(path, secret)), str(path)


def _path(secret: Secret) -> Path:
    if isinstance(secret, SecretFile):
        return Path(secret.file)
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise CouldNotLook(
            "systemd handed over no credentials: $CREDENTIALS_DIRECTORY is not set",
            where=f"credential {secret.credential}",
            hint=f"write LoadCredential={secret.credential}:/path in the unit, or name a file in the inventory",
        )
    return Path(folder) / secret.credential


def _read(path: Path, secret: Secret) -> bytes:
    try:
        # O_NONBLOCK: a FIFO in the secret's place must not hold the run.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError as error:
        raise CouldNotLook(
            f"the secret cannot be read: {os.strerror(error.errno or 0)}",
            where=str(path),
            hint="create it, readable by the agent's user alone",
        ) from None
    try:
        _refuse_what_others_can_read(path, os.fstat(descriptor), secret)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(_BOUND + 1)
    finally:
        os.close(descriptor)
    if len(content) > _BOUND:
        raise CouldNotLook(
            f"the secret is larger than {_BOUND:,} bytes", where=str(path), hint="name the right file in the inventory"
        )
    return content


def _refuse_what_others_can_read(path: Path, status: os.stat_result, secret: Secret) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise CouldNotLook("the secret is not a regular file", where=str(path), hint="put it into a file of its own")
    if status.st_uid not in {os.geteuid(), 0}:
        raise CouldNotLook(
            f"the secret belongs to user id {status.st_uid}, who could change it",
            where=str(path),
            hint=f"chown {os.geteuid()} {path}",
        )
    # systemd grants a unit's user access by ACL, which shows as group bits; the folder is that unit's own.
    others = 0o077 if isinstance(secret, SecretFile) else 0o007
    if status.st_mode & others:
        raise CouldNotLook("others can read or change the secret", where=str(path), hint=f"chmod 600 {path}")


def _text(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise CouldNotLook(
            "the secret is not UTF-8 text", where=str(path), hint="name the right file in the inventory"
        ) from None
