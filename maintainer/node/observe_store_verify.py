"""Whether indexed objects are in the store as the index says: present, whole, with the same digest, and readable DICOM.

Request {"objects": [[key, path, size, algorithm, digest or null, kind, SOP instance UID or null], …]}, in the order to
check them; the kind may be left out where it is "dicom", and the UID where it is not known. What is of the kind
"other" has no DICOM header that could be looked at. With `pause`, {"port", "above"}, nothing is read while more than
`above` bytes a second move over that port, and the time goes on. Answers {"store_present", "checked", "bytes",
"deviations": [[key, verdict, evidence], …], "reached"}: `reached` is the key up to which everything was checked before
the time was over, null when nothing was. Verdicts: `object_reading`.
"""

import os
import threading

from maintainer.node import store_pausing
from maintainer.node.envelope import mapping
from maintainer.node.object_reading import ALGORITHMS, KINDS, Indexed, Reader

GENTLE = True
MAX_OBJECTS = 100000
MAX_DEVIATIONS = 20000
_LEAST_FIELDS = 5
_THREADS = 4
_WORTH_A_THREAD = 8 * 1024 * 1024
_HEX = frozenset("0123456789abcdefABCDEF")


def run(request, policy, deadline):
    mapping(request, "request", ("objects",), ("pause",))
    store_pausing.check(request.get("pause"))
    objects = _objects(request["objects"])
    if policy.store is None:
        raise ValueError("this node has no store in its policy")
    if not policy.store.present():
        return {"store_present": False, "checked": 0, "bytes": 0, "deviations": [], "reached": None}
    top = policy.store.open_top()
    try:
        with store_pausing.way_of(request.get("pause")) as way:
            results = _Run(policy.store, top, objects, way.before(deadline)).results()
    finally:
        os.close(top)
    return _summary(objects, results)


def _objects(listed):
    if not isinstance(listed, list) or len(listed) > MAX_OBJECTS:
        raise ValueError("store-verify takes a list of at most {} objects".format(MAX_OBJECTS))
    return [_indexed(fields) for fields in listed]


def _indexed(fields):
    if not isinstance(fields, list) or not _LEAST_FIELDS <= len(fields) <= len(Indexed._fields):
        raise ValueError("an object is [key, path, size, algorithm, digest or null, kind, UID or null]")
    indexed = Indexed(*fields)
    if type(indexed.key) not in (int, str) or not isinstance(indexed.path, str):
        raise ValueError("an object's key is a number or a text, its path a text")
    if type(indexed.size) is not int or indexed.size < 0:
        raise ValueError("an object's size is a whole number")
    if indexed.algorithm not in ALGORITHMS:
        raise ValueError("an object's digest is one of " + ", ".join(ALGORITHMS))
    if indexed.digest is not None and not (isinstance(indexed.digest, str) and _HEX.issuperset(indexed.digest)):
        raise ValueError("an object's digest is hexadecimal, or null")
    if indexed.kind not in KINDS:
        raise ValueError("an object's kind is one of " + ", ".join(KINDS))
    if indexed.uid is not None and not isinstance(indexed.uid, str):
        raise ValueError("an object's SOP instance UID is a text, or null")
    return indexed


class _Run:
    """Objects taken in order by a few threads: hashing runs outside the interpreter's lock."""

    def __init__(self, store, top, objects, deadline):
        self._store, self._top, self._objects, self._deadline = store, top, objects, deadline
        self._results = [None] * len(objects)
        self._next, self._found, self._error = 0, 0, None
        self._lock = threading.Lock()

    def results(self):
        count = max(1, min(_THREADS, len(self._objects), sum(o.size for o in self._objects) // _WORTH_A_THREAD))
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._error:
            raise self._error
        return self._results

    def _work(self):
        reader = Reader(self._store, self._top, self._deadline)
        try:
            for index in iter(self._take, None):
                self._results[index] = result = reader.compare(self._objects[index])
                if result and result[1]:
                    with self._lock:
                        self._found += len(result[1])
        except Exception as error:  # noqa: BLE001 (raised again by the thread that waits for this one)
            self._error = error

    def _take(self):
        with self._lock:
            index = self._next
            full = self._found >= MAX_DEVIATIONS
            if self._error or full or index >= len(self._objects) or self._deadline.passed():
                return None
            self._next += 1
            return index


def _summary(objects, results):
    checked = next((index for index, result in enumerate(results) if result is None), len(results))
    whole = results[:checked]
    return {
        "store_present": True,
        "checked": checked,
        "bytes": sum(size for size, _ in whole),
        "deviations": [deviation for _, found in whole for deviation in found],
        "reached": objects[checked - 1].key if checked else None,
    }
