"""What may stand in a record."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from maintainer.intervention_log import chain
from maintainer.intervention_log.record import Intervention, Kind, Record, bounded, clip, printable, read_record
from maintainer.model.finding import Finding, Severity

PLACE = {"seq": 1, "prev": chain.NO_HASH, "time": "2024-03-01T22:00:00.000000Z", "origin": "site-a"}
TEXTS = ("run", "actor", "node", "task", "subject", "step", "title", "plan", "window", "reason", "error", "text")
ANY_TEXT = st.text(st.characters(), max_size=50).map(lambda text: text * 300)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=80) | st.dictionaries(st.text(st.characters()), inner, max_size=80),
    max_leaves=100,
)


def finding(**changed: Any) -> Finding:
    given_ = {"severity": Severity.WARNING, "cause": "dead-rows", "subject": "public.study", "advice": "vacuum it"}
    return Finding.model_validate(given_ | changed)


def test_fields_that_were_not_given_are_left_out_of_the_line() -> None:
    """A line holds what was said and no empty fields."""
    body = Record(**PLACE, kind=Kind.NOTE, text="disk replaced").body()
    assert json.loads(body + b"}") == PLACE | {"kind": "note", "text": "disk replaced"}


def test_seq_and_prev_open_every_line() -> None:
    """The verifier finds them at a fixed place, whatever else is said."""
    body = Record(**PLACE, kind=Kind.NOTE, actor="ann", measured={"a": 1}).body()
    assert body.startswith(b'{"seq":1,"prev":"' + b"0" * 64 + b'",')


def test_nothing_else_can_enter() -> None:
    """A field that is not on the list is a mistake, not a new column."""
    with pytest.raises(ValidationError, match="patient_name"):
        Record(**PLACE, kind=Kind.NOTE, patient_name="DOE^JANE")


def test_a_private_finding_is_refused() -> None:
    """A finding about a patient's object must have been given its pseudonym before."""
    with pytest.raises(ValidationError, match="pseudonym"):
        Record(**PLACE, kind=Kind.FINDING, finding=finding(private=True))


def test_a_finding_comes_back_as_it_was() -> None:
    """What was found is read from the line with its numbers and words."""
    whole = finding(evidence={"dead": 12, "names": ["a", "b"]})
    line, _ = chain.seal(Record(**PLACE, kind=Kind.FINDING, finding=whole).body())
    assert read_record(line).finding == whole


def test_a_finding_may_come_as_json() -> None:
    """The engine hands over what it also prints."""
    record = Record(**PLACE, kind=Kind.FINDING, finding=finding().model_dump(mode="json"))
    assert record.finding == finding()


def test_a_text_that_is_too_long_is_cut_and_says_so() -> None:
    """A long server message must not end an unattended run."""
    record = Record(**PLACE, kind=Kind.OUTCOME, error="x" * 100_000)
    assert record.error == clip("x" * 100_000, 2_000)
    assert (len(record.error), record.error[-1]) == (2_000, "…")


@pytest.mark.parametrize("evil", ["\x1b[2J", "\x9b2J", "\u202e", "\ud800", "\r"])
def test_what_would_deceive_a_terminal_is_replaced(evil: str) -> None:
    """Control sequences, bidi marks and broken text do not reach the reader's screen."""
    assert evil[0] not in printable(f"a{evil}b")


def test_ordinary_text_of_any_language_stays() -> None:
    """Notes are written by people, in their own words and over several lines."""
    note = "Remplacé le disque n° 2,\n\tprévu\N{NO-BREAK SPACE}: 3 h — ディスク"
    assert printable(note) == note


def test_what_is_left_out_of_measured_is_said() -> None:
    """Fifty values are kept; the rest is counted."""
    kept = bounded({"names": [str(n) for n in range(60)]})["names"]
    assert isinstance(kept, list)
    assert kept[-2:] == ["49", "… 10 more"]


def test_a_tree_too_large_becomes_its_size() -> None:
    """What cannot be shortened without lying is left out, and said to be."""
    assert list(bounded({str(n): "x" * 400 for n in range(50)})) == ["left_out"]


@given(texts=st.fixed_dictionaries({}, optional=dict.fromkeys(TEXTS, ANY_TEXT)), tree=ANY_JSON)
def test_whatever_is_said_the_record_stays_in_its_bounds(texts: dict[str, str], tree: Any) -> None:
    """No text, number or tree makes a line too long, unreadable or different when read back."""
    said = finding(subject="s" * 900, advice="\N{FULL BLOCK}" * 9_000, evidence={"e": tree})
    record = Record(**PLACE, kind=Kind.FINDING, measured={"m": tree}, finding=said, **texts)
    line, digest = chain.seal(record.body())
    assert len(line) <= chain.MAX_LINE
    assert b"\n" not in line[:-1]
    assert read_record(line) == record.model_copy(update={"hash": digest})


def test_the_largest_record_still_fits() -> None:
    """All fields full of four-byte characters stay below 64 kB."""
    full = "\N{FULL BLOCK}" * 90_000
    wide = "\U0001f5c4" * 90_000
    tree = {"a" * 300 + str(n): "\U0001f5c4" * 300 for n in range(6)}
    said = finding(subject=wide, advice=wide, evidence=tree)
    for text in (full, wide, '"' * 90_000):
        words = dict.fromkeys(("who", "company", "scope", "note"), text)
        work = Intervention(**words, place="on-site", until=PLACE["time"])
        record = Record(
            **PLACE, kind=Kind.FINDING, finding=said, measured=tree, intervention=work, **dict.fromkeys(TEXTS, text)
        )
        assert len(chain.seal(record.body())[0]) <= chain.MAX_LINE
