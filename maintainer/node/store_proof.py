"""Proof that the check finds what it is for: the same reading, judging and walking over a store with planted faults.

Who does not find exactly the planted faults is not believed about anything else.
"""

import contextlib
import os
import sqlite3

from maintainer.node import state
from maintainer.node import store_ledger as ledger
from maintainer.node.envelope import DeadlinePassed
from maintainer.node.store import Store
from maintainer.node.store_learning import learn
from maintainer.node.store_planting import BASELINE, FAULTS, SOUND, STRAY, plant, spoil
from maintainer.node.store_reading import Reading
from maintainer.node.store_rows import ARCHIVE, BASELINED, UNREAD, path_of
from maintainer.node.store_rows import BASELINE as BY_BASELINE
from maintainer.node.store_strays import Walk

_FOLDER = "proof"
_WORDS = {
    UNREAD: "unread",
    ARCHIVE: "verified-archive",
    BY_BASELINE: "verified-baseline",
    BASELINED: "baselined",
}
EXPECTED = dict(FAULTS, **{SOUND: "verified-archive", BASELINE: "verified-baseline", STRAY: "orphan"})


def prove(policy, deadline):
    """Say what was planted and not found as what it is, or found and not planted; nothing when the check works.

    Raises:
        DeadlinePassed: there was no time to find all of it.
    """
    folder = state.make(os.path.join(state.make(state.folder(policy)), _FOLDER))
    found = _scan(folder, deadline)
    wrong = [path for path in sorted(set(EXPECTED) | set(found)) if EXPECTED.get(path) != found.get(path)]
    if wrong and deadline.passed():
        raise DeadlinePassed("the time was over before the check was proven", "begin earlier in the window")
    return [
        "{}: planted as {}, found as {}".format(path, EXPECTED.get(path, "nothing"), found.get(path, "nothing"))
        for path in wrong
    ]


def _scan(folder, deadline):
    """A first night over the store as it was, and a second one after time has passed over it."""
    store = Store(folder, lambda _name: True)
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        ledger.prepare(opened, folder)
        rows = plant(folder)
        with ledger.change(opened):
            learn(opened, 0, len(rows), rows)
        Reading(opened, store, None, deadline).run()
        spoil(folder)
        Reading(opened, store, None, deadline).run()
        Walk(opened, store, 0.0, deadline).run()
        return dict(_found(opened))


def _found(opened):
    for name, verdict in opened.execute("SELECT name, verdict FROM objects"):
        yield path_of(name), _WORDS.get(verdict) or ledger.word_of(verdict)
    for (path,) in opened.execute("SELECT path FROM strays"):
        yield path, "orphan"
