"""A deeper look at the objects whose structure a node finds fault with: what pydicom says to their first bytes."""

import base64
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import JsonValue

from maintainer.errors import CouldNotLook
from maintainer.links.dicom_opinion import opinion

Ask = Callable[[str, dict[str, JsonValue]], Any]

MOST = 20
"""So many in one look: each takes a request and a process of its own."""
LONGEST = 60.0
"""Seconds after which a look asks about no further one: a node whose disk hangs takes minutes over each."""
HEADER_BYTES = 262_144
_SUSPECT = "header"
_READS = "reads it"


class Suspects:
    """Those of one look; `ask` asks an observing program of their node."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._left, self._until = MOST, math.inf

    def evidence(self, path: str, verdict: str, evidence: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """Add to a suspect's evidence, as `pydicom`, the name of its complaint; to others', nothing."""
        if verdict != _SUSPECT or not self._left or time.monotonic() >= self._until:
            return dict(evidence)
        self._left, self._until = self._left - 1, min(self._until, time.monotonic() + LONGEST)
        try:
            answer = self._ask("store-header", {"path": path, "limit": HEADER_BYTES})
        except CouldNotLook:  # it may have been deleted since; if the node is gone, the next question will tell
            return dict(evidence)
        return {**evidence, "pydicom": opinion(base64.b64decode(answer["bytes_base64"])) or _READS}
