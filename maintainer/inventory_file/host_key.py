"""Whether a line is the public key of an SSH server. Source: RFC 4253, 6.6; RFC 5656, 3.1; RFC 8709, 4."""

import base64
import binascii
import re

_INNER = {
    "ssh-ed25519": "ssh-ed25519",
    "ecdsa-sha2-nistp256": "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384": "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521": "ecdsa-sha2-nistp521",
    "ssh-rsa": "ssh-rsa",
    "rsa-sha2-256": "ssh-rsa",
    "rsa-sha2-512": "ssh-rsa",
}
_POINT_LENGTHS = {"nistp256": 65, "nistp384": 97, "nistp521": 133}
_ED25519_LENGTH = 32
_SMALLEST_RSA = 1024 // 8
_HOW = "print it on the node itself: cat /etc/ssh/ssh_host_ed25519_key.pub"


def fault(line: str) -> str:
    """Say why a line is not a public host key; nothing when it is one.

    >>> fault("AAAAC3NzaC1lZDI1NTE5")
    'this is not a public host key, which has a kind and a block, such as ssh-ed25519 AAAA…'
    """
    if "PRIVATE KEY" in line:
        return f"this is a private key, which never leaves its machine; the public one belongs here; {_HOW}"
    words = line.split()
    if "\n" in line or len(words) < 2:  # noqa: PLR2004 (a kind and a block; a comment may follow)
        return "this is not a public host key, which has a kind and a block, such as ssh-ed25519 AAAA…"
    kind, block = words[0], words[1]
    if kind not in _INNER:
        if block in _INNER:
            return "leave out the host name that stands before the key"
        return f"keys of this kind are not accepted, only {', '.join(_INNER)}; {_HOW}"
    try:
        parts = _parts(base64.b64decode(block, validate=True))
    except (binascii.Error, ValueError):
        return f"the key is cut short or damaged; {_HOW}"
    return "" if _is_whole(_INNER[kind], parts) else f"the key is not a whole {kind} key; {_HOW}"


def _parts(blob: bytes) -> list[bytes]:
    """Take a key apart: each part is preceded by its length in four bytes."""
    parts = []
    while blob:
        length = int.from_bytes(blob[:4], "big")
        if len(blob) < 4 + length:
            raise ValueError
        parts.append(blob[4 : 4 + length])
        blob = blob[4 + length :]
    return parts


def _is_whole(kind: str, parts: list[bytes]) -> bool:
    name = kind.encode()
    match parts:
        case [inner, key] if kind == "ssh-ed25519":
            return inner == name and len(key) == _ED25519_LENGTH
        case [inner, exponent, modulus] if kind == "ssh-rsa":
            return inner == name and bool(exponent) and len(modulus) >= _SMALLEST_RSA
        case [inner, curve, point] if re.match("ecdsa", kind):
            length = _POINT_LENGTHS.get(curve.decode(errors="replace"))
            return inner == name and kind.endswith(curve.decode(errors="replace")) and len(point) == length
        case _:
            return False
