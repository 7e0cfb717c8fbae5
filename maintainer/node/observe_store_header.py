"""The first bytes of one object, for a suspect that needs a closer look: {"bytes_base64"}.

Request {"path", "limit"}. These bytes may name a patient: they are for examination, never for a log.
"""

import base64
import os
import stat

MAX_BYTES = 256 * 1024


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
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise ValueError("the path is not of a regular file")
        return os.pread(opened, limit, 0)
    finally:
        os.close(opened)
