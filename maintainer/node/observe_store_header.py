"""The header of one object, for a suspect that needs a closer look: {"bytes_base64"}.

Request {"path", "limit"}. It ends where the pixel data begin or, when the structure breaks before, a little after that;
of a deflated object it cannot be told where they do. A header names a patient: it is for examination, never for a log.
"""

import base64
import os
import stat

from maintainer.node import dicom_header

MAX_BYTES = 256 * 1024
_AFTER = 4096


def run(request, policy, _deadline):
    if set(request) != {"path", "limit"}:
        raise ValueError("store-header takes path and limit")
    limit = request["limit"]
    if type(limit) is not int or not 1 <= limit <= MAX_BYTES:
        raise ValueError("limit is a whole number from 1 to {}".format(MAX_BYTES))
    if policy.store is None:
        raise ValueError("this node has no store in its policy")
    return {"bytes_base64": base64.b64encode(_first(policy.store, request["path"], limit)).decode("ascii")}


def _first(store, path, limit):
    top = store.open_top()
    try:
        opened = store.open_object(top, path)
    finally:
        os.close(top)
    try:
        status = os.fstat(opened)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("the path is not of a regular file")
        return os.pread(opened, min(limit, _end(opened, status.st_size)), 0)
    finally:
        os.close(opened)


def _end(opened, size):
    """Where the header ends."""
    verdict = dicom_header.examine(lambda offset, count: os.pread(opened, count, offset), size)
    return verdict.pixels or (verdict.offset + _AFTER if verdict.why else size)
