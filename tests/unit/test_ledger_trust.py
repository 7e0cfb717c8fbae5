"""Whether a ledger is believed, by what the log has on record of it."""

import pytest

from maintainer.planning.ledger_trust import Trust, trust

CASES = [
    # root, seals, recorded, sealed, just sealed
    (("A", ["A"], "A", True, False), Trust.TRUSTED),  # as the last run left it
    (("A", ["A", "B"], "B", True, True), Trust.TRUSTED),  # the run that is going on has just sealed it
    (("A", ["A"], "", True, True), Trust.TRUSTED),  # the very first night
    (("A", [], "", False, False), Trust.TRUSTED),  # the very first night, still open
    (("A", ["A"], "B", True, True), Trust.TRUSTED),  # begun anew tonight, which the first look has told
    (("A", ["A", "B"], "B", True, False), Trust.UNPROVEN),  # sealed by a run that recorded nothing
    (("A", ["A", "B", "C"], "C", True, False), Trust.UNPROVEN),  # by several, as after the controller was restored
    (("C", ["A"], "A", False, False), Trust.UNPROVEN),  # a run was killed before it sealed
    (("A", ["A"], "", True, False), Trust.UNPROVEN),  # another controller's
    (("A", ["A", "B"], "", True, True), Trust.TRUSTED),  # after the first night of its successor, whose first look told
    (("X", ["A"], "A", True, False), Trust.TAMPERED),  # a row was changed
    (("X", ["X"], "A", True, False), Trust.TAMPERED),  # and sealed by who changed it
    (("X", ["X", "Y"], "A", True, True), Trust.TAMPERED),  # with a past that nobody knows
    (("X", ["Y"], "A", False, False), Trust.TAMPERED),
]


@pytest.mark.parametrize(("given", "verdict"), CASES)
def test_trust(given: tuple[str, list[str], str, bool, bool], verdict: Trust) -> None:
    """What the log knows is believed, what it can follow is told, what it cannot is refused."""
    root, seals, recorded, sealed, just_sealed = given
    assert trust(root, seals, recorded, sealed=sealed, just_sealed=just_sealed) is verdict
