"""The zipapp that this very program runs from."""

import hashlib


def path():
    """Path of the zipapp; None for a program that runs from its sources."""
    return getattr(globals().get("__loader__"), "archive", None)


def sha256():
    """Digest of its bytes; None where they cannot be read any more."""
    try:
        with open(path() or "", "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return None
