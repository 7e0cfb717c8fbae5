"""A comparison of a store with its index ends within a page when the run is asked to stop."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from maintainer.links.store_scan import Scanner
from maintainer.model.task import StoreScan

SCAN = StoreScan(grace=timedelta(0), at_most=timedelta(hours=8), resume="verified-up-to")
NAMES = ("path", "size", "algorithm", "digest", "kind", "sop_instance_uid")


@pytest.mark.parametrize("questions", [0, 1, 3])
def test_what_was_verified_by_then_is_kept(questions: int) -> None:
    """On an index without end, so that only the stop ends it; the next run goes on behind the last page."""
    asked: list[str] = []

    def rows(_text: str, parameters: Any) -> list[dict[str, Any]]:
        return [{"key": parameters["after"] + 1, **dict.fromkeys(NAMES, "")}]

    def ask(program: str, request: Any) -> Any:
        asked.append(program)
        return {"store_present": True, "checked": 1, "bytes": 5, "deviations": [], "reached": request["objects"][0][0]}

    product: Any = SimpleNamespace(objects_sql="", known_sql="")
    scanner = Scanner(
        product=product,
        scan=SCAN,
        resume_after=10,
        rows=rows,
        ask=ask,
        stop_asked=lambda: len(asked) >= questions,
    )
    found: Any = scanner.run()
    assert asked == ["store-verify"] * questions
    assert (found["checked"], found["reached"]) == (questions, 10 + questions)
    assert (found["files"], found["files_complete"], found["stopped"]) == (0, False, True)
