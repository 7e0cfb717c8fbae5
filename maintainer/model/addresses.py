"""Where something answers: hosts, ports, sockets and AE titles."""

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from maintainer.model.values import Called, normal_path


def _address(text: str) -> str:
    labels = text.split(".")
    if ":" in text or labels[-1].isdigit():
        return str(ipaddress.ip_address(text))
    if not all(label and not label.startswith("-") and not label.endswith("-") for label in labels):
        raise ValueError
    return text


def _address_or_socket_folder(text: str) -> str:
    return normal_path(text) if text.startswith("/") else _address(text)


Port = Annotated[int, Field(ge=1, le=65535), Called("a port", "it is a number from 1 to 65535")]
AeTitle = Annotated[
    str,
    StringConstraints(pattern=r"^[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?$", max_length=16),
    Called(
        "an AE title", "it is text of 1 to 16 ASCII characters, without backslash, not beginning or ending in a space"
    ),
]
"""Source: DICOM PS3.5, 6.2, VR AE."""
Uid = Annotated[
    str,
    StringConstraints(pattern=r"^[0-2](\.(0|[1-9][0-9]*))+$", max_length=64),
    Called("a UID", "it is numbers with dots between them, such as 1.2.840.99, 64 characters at most"),
]
"""Source: DICOM PS3.5, 9.1."""
PixelDigest = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-f]{64}$"),
    Called("a digest", "it is the 64 hexadecimal digits that `maintainer check` shows"),
]
Address = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9:.\-]+$", max_length=253),
    AfterValidator(_address),
    Called("an address", "it is a host name or an IP address"),
]
AddressOrSocketFolder = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9:.\-]+$|^/[!-~]*$", max_length=253),
    AfterValidator(_address_or_socket_folder),
    Called("an address", "it is a host name, an IP address or the folder of a socket"),
]
