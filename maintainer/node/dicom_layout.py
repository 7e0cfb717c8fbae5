"""Structures that were found sound, known again at a glance: the slices of a series differ in their values alone.

What the walk looks at to come to its verdict is the size of a file and some of its bytes: tags, VRs, lengths, and the
values that describe the image. Another file that has the same there has the same verdict, by the same walk.
"""

from maintainer.node import dicom_header
from maintainer.node.dicom_image import SOP_INSTANCE_UID
from maintainer.node.dicom_walk import NOTED, Walk
from maintainer.node.dicom_window import Unsound, Verdict, Window

_KEY = slice(128, 144)
"""What, beside its size, tells in which layouts it is worth looking: how long the file meta information is."""
_BEGINNING_ENDS = 32 * 1024
_SIBLINGS = 8
"""Layouts that a beginning and a size have in common: longer here, shorter there. Of more, each is walked."""
_MOST = 256


class Layouts:
    """Examines files whose whole content is in memory, and keeps the layouts of so many as are worth it."""

    def __init__(self):
        self._known = {}

    def examine(self, content):
        """Give the verdict on a file, as `dicom_header.examine` gives it."""
        key = (len(content), bytes(content[_KEY]))
        known = self._known.get(key)
        for layout in known or ():
            verdict = layout and layout.verdict_on(content)
            if verdict:
                return verdict
        verdict = dicom_header.examine(lambda offset, count: content[offset : offset + count], len(content))
        if not verdict.why and verdict.pixels:
            self._keep(key, known, content, verdict)
        return verdict

    def _keep(self, key, known, content, verdict):
        """Keep a layout once a second file begins in the same way: of most objects, there is no other like it."""
        if known is None:
            self._known = self._known if len(self._known) < _MOST else {}
            self._known[key] = []
        elif len(known) < _SIBLINGS:
            known.append(traced(content, verdict))


class Layout:
    """The bytes that were looked at: a mask over the beginning of a file, and what it leaves there, each as one number.

    Numbers, since hashing leaves little else in the processor's caches: they are few and lie in one piece.
    """

    def __init__(self, content, looked_at, uid, pixels):
        self._until = max(end for _, end in looked_at)
        mask = bytearray(self._until)
        for begin, end in looked_at:
            mask[begin:end] = b"\xff" * (end - begin)
        self._mask, self._uid, self._pixels = _number(mask), uid, pixels
        self._same = self._left_of(content)

    def _left_of(self, content):
        return _number(content[: self._until]) & self._mask

    def verdict_on(self, content):
        """Give the verdict on a file of the same size, or None when it has another layout."""
        if self._left_of(content) != self._same:
            return None
        return Verdict("", 0, bytes(content[self._uid]).rstrip(b"\0 "), self._pixels)


def _number(part):
    return int.from_bytes(part, "little")


def traced(content, verdict):
    """Give the layout of a sound file by walking it once more.

    None where that does not come to the same verdict, or where the walk looks at what is far from the beginning.
    """
    window = _Trace(content)
    try:
        walk, offset = dicom_header.begun(window, _TracedWalk)
        walk.run(offset)
    except Unsound:
        return None
    if max(end for _, end in window.looked_at) > _BEGINNING_ENDS:
        return None
    layout = Layout(content, window.looked_at, walk.instance, walk.pixels)
    return layout if layout.verdict_on(content) == verdict else None


class _Trace(Window):
    """Notes what is looked at. It has nothing at hand, so that the walk asks it for every element."""

    def __init__(self, content):
        super().__init__(None, len(content))
        self._content, self.looked_at = content, []

    def unpack(self, unpack_from, offset, count):
        return unpack_from(self._content, self._at(offset, count))

    def bytes(self, offset, count):
        index = self._at(offset, count)
        return bytes(self._content[index : index + count])

    def _at(self, offset, count):
        if offset + count > self.size:
            raise Unsound("past-end", offset)
        if count:
            self.looked_at.append((offset, offset + count))
        return offset


class _TracedWalk(Walk):
    """Keeps apart where the SOP instance UID lies: whatever it is, the structure is sound."""

    instance = slice(0, 0)

    def _note(self, tag, value, length):
        if tag == SOP_INSTANCE_UID:
            self.instance = slice(value, value + min(length, NOTED))
        else:
            super()._note(tag, value, length)
