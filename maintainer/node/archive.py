"""The zipapp that this very program runs from."""


def path():
    """Path of the zipapp; None for a program that runs from its sources."""
    return getattr(globals().get("__loader__"), "archive", None)


def sha256():
    """Digest of its bytes; None where they cannot be read any more."""
    import hashlib  # noqa: PLC0415 (2 ms, and only one program asks)

    try:
        with open(path() or "", "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return None
