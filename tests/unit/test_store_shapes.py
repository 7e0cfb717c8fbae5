"""What a node may say of the ledger of its store."""

from typing import Any

import pytest

from maintainer.links.node_answers import Undocumented, verdict

VERIFIED = {"archive": 4, "baseline": 1, "baselined": 2}
LEDGER = {
    "root": "0" * 64,
    "sealed": True,
    "night": "2026-11-24T22:00:00Z",
    "seals": [],
    "objects": 7,
    "bytes": 700,
    "last_key": 7,
    "fresh_objects": 0,
    "fresh_bytes": 0,
    "ages": [[20_781, 7, 700]],
    "clock": 1,
    "verified": VERIFIED,
    "deviations": [],
    "unlisted": 0,
    "unconfirmed": 0,
    "stopped": "quota",
    "lost": "",
    "proof": [],
    "speed": 1,
    "skipped": {},
    "walking": False,
}


def answered(verified: dict[str, Any]) -> Any:
    ledger = {**LEDGER, "verified": verified}
    return verdict({"ok": True, "answer": {"store_present": True, "trouble": "", "ledger": ledger}}, "store-ledger")


@pytest.mark.parametrize(
    "lie",
    [{}, {"archive": 4, "baseline": 1}, {**VERIFIED, "baselined": -1}, {**VERIFIED, "sealed": 3}],
)
def test_a_ledger_that_counts_otherwise_is_undocumented(lie: dict[str, int]) -> None:
    """Each of the three counts is needed where they are told, and nothing else is one."""
    assert answered(VERIFIED)["ledger"]["verified"] == VERIFIED
    with pytest.raises(Undocumented):
        answered(lie)
