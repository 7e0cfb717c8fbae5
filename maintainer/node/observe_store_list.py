"""Which files lie in the store, in byte order of their paths, so that a long list can go on where it stopped.

Request {"after", "limit", "grace_seconds"}; answers {"store_present", "files", "more", "young", "skipped"}.
A file younger than the grace may not be indexed yet: it is counted, not listed.
"""

import contextlib
import errno
import heapq
import os
import stat
import time
from collections import Counter
from typing import List

GENTLE = True
MAX_FILES = 50000
MAX_DEPTH = 32
_AT_ONCE = 50000
_MAX_TEXT = 6 * 1024 * 1024
_MAX_PATH = 4096


def run(request, policy, deadline):
    after, limit, grace = _request(request)
    if policy.store is None:
        raise ValueError("this node has no store in its policy")
    if not policy.store.present():
        return {"store_present": False, "files": [], "more": False, "young": 0, "skipped": {}}
    listing = Listing(policy.store, limit, grace, deadline)
    top = policy.store.open_top()
    try:
        listing.add_folder(top, "", after, 0)
    finally:
        os.close(top)
    if listing.more and not listing.files:
        raise TimeoutError(errno.ETIMEDOUT, "the time was over before the first file was listed")
    answer = {"store_present": True, "files": listing.files, "more": listing.more, "young": listing.young}
    return dict(answer, skipped=dict(listing.skipped))


def _request(request):
    if set(request) != {"after", "limit", "grace_seconds"}:
        raise ValueError("store-list takes after, limit and grace_seconds")
    after, limit, grace = request["after"], request["limit"], request["grace_seconds"]
    if not isinstance(after, str) or len(after) > _MAX_PATH or "\0" in after:
        raise ValueError("after is the path of a file, or empty")
    if type(limit) is not int or not 1 <= limit <= MAX_FILES:
        raise ValueError("limit is a whole number from 1 to {}".format(MAX_FILES))
    if type(grace) not in (int, float) or grace < 0:
        raise ValueError("grace_seconds is not negative")
    return after, limit, grace


class Listing:
    def __init__(self, store, limit, grace, deadline):
        self.files: List[str] = []
        self.skipped: "Counter[str]" = Counter()
        self.more, self.young = False, 0
        self._store, self._deadline, self._limit = store, deadline, limit
        now = time.time()
        self._youngest, self._latest = now - grace, now + grace
        self._text = 0

    def add_folder(self, folder, prefix, after, depth):
        """List what comes after `after` (relative to this folder) until the list is full."""
        while not self.more:
            entries = heapq.nsmallest(_AT_ONCE, self._entries(folder, after))
            for key in entries:
                self._add(folder, prefix, key, after, depth)
            if len(entries) < _AT_ONCE:
                return
            after = entries[-1] + ("\U0010ffff" if entries[-1].endswith("/") else "")

    def _entries(self, folder, after):
        """Names after `after`; a folder's ends in "/", so that they sort as whole paths do."""
        with self._store.entries(folder) as found:
            for entry in found:
                if not _is_text(entry.name):
                    self.skipped["not-utf-8"] += 1
                    continue
                key = entry.name + "/" if entry.is_dir(follow_symlinks=False) else entry.name
                if key > after or (key.endswith("/") and after.startswith(key)):
                    yield key

    def _add(self, folder, prefix, key, after, depth):
        if self.more or self._deadline.passed() or len(self.files) >= self._limit or self._text > _MAX_TEXT:
            self.more = True
        elif key.endswith("/"):
            self._add_below(folder, prefix + key, key, after, depth)
        else:
            self._add_file(folder, prefix, key)

    def _add_below(self, folder, prefix, key, after, depth):
        if depth >= MAX_DEPTH:
            self.skipped["too-deep"] += 1
            return
        try:
            below = self._store.open_folder(folder, key[:-1])
        except OSError:
            self.skipped["not-permitted"] += 1
            return
        try:
            self.add_folder(below, prefix, after[len(key) :] if after.startswith(key) else "", depth + 1)
        finally:
            os.close(below)

    def _add_file(self, folder, prefix, name):
        with contextlib.suppress(FileNotFoundError):
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            why = self._why_not(name, status)
            if why == "young":
                self.young += 1
            elif why:
                self.skipped[why] += 1
            else:
                self.files.append(prefix + name)
                self._text += len(prefix) + len(name) + 8

    def _why_not(self, name, status):
        if not stat.S_ISREG(status.st_mode):
            return "symlink" if stat.S_ISLNK(status.st_mode) else "special"
        if not self._store.is_object(name):
            return "not-object"
        # What lies further ahead was written while the clock was, and would stay young for as long as it was ahead.
        return "young" if self._youngest < status.st_ctime <= self._latest else ""


def _is_text(name):
    """Tell whether a name can travel as UTF-8; one that cannot is in no index either."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
