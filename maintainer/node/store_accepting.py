"""Reading a plain tree of files with what a person accepted: an object is that content from now on, and no other."""

from maintainer.node.object_reading import DICOM, OTHER
from maintainer.node.store_judging import judge
from maintainer.node.store_learning import forget, replace
from maintainer.node.store_objects import Row
from maintainer.node.store_reading import Reading
from maintainer.node.store_rows import NEVER, UNKNOWN, UNREAD


class Accepting(Reading):
    """Begins with what was accepted. `words`: key → (verdict, SHA-256), as the person was told them; none of what is
    missing. `accepted`: how many were found to be just that; of the others the ledger remembers what they were.
    """

    def __init__(self, opened, store, quota, deadline, *, words, **how):
        super().__init__(opened, store, quota, deadline, **how)
        self.accepted = 0
        self._accepted, self._before = dict(words), list(words)

    def _keep(self, row, reading):
        word = self._accepted.get(row.key)
        if word is None or word != _as_told(judge(row, reading)):
            super()._keep(row, reading)
            return
        self.accepted += 1
        if reading.trouble[0]:
            forget(self._opened, [row.key])
        else:
            # As if it had just come: its structure was never looked at.
            super()._keep(self._begun_anew(row, reading), reading)

    def _begun_anew(self, row, reading):
        kind = OTHER if reading.header.why == "not-dicom" else DICOM
        name, size, form, proof = replace(self._opened, row.key, row.path, reading.size, kind)
        return Row(row.key, name, size, form, proof, NEVER, UNKNOWN, UNREAD, None)


def _as_told(judged):
    return judged.word, judged.evidence.get("sha256")
