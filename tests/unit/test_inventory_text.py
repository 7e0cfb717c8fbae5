"""The text of an inventory, before anything is known of its meaning."""

import pytest

from tests.unit.inventory_texts import mistakes


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = 1\nb", "2:2: a key is followed by = and a value"),
        ("a = 10.0.0.1", "1:9: the line should end here: is text missing its quotes, or a comment its #?"),
        ("a = b", "1:5: this is no value: text, times and durations stand in quotes, true and false in small letters"),
        (
            "a = True",
            "1:5: this is no value: text, times and durations stand in quotes, true and false in small letters",
        ),
        ("[a\nb = 1", "1:3: a section's name is closed by ]"),
        ("[[a]\n", "1:4: a section's name that opens with [[ is closed by ]]"),
        ("a = [1\n b = 2", "2:2: a list is not closed: ] or a comma is missing"),
        ("a = { b = 1\n}", "1:12: a table is not closed: } or a comma is missing, or it goes on to another line"),
        ('a = "b\nc = 1', "1:7: a text is not closed on its line: its last quote is missing"),
        ("a = 'b\nc = 'd'", "1:7: a text is not closed on its line: its last quote is missing"),
        ("a = 'b\nc = 1", "2:6: a text is not closed: its last quote is missing"),
        ("a = '''b\nc = 1", "2:6: a text is not closed: its last quote is missing"),
        ('a = """b\n\n', "3:1: a text is not closed: its last quote is missing"),
        ("a = 1\na = 2", "2:6: this is written twice"),
        ("[a]\n[a]", "2:3: this section is written twice"),
        ("a = { b = 1, b = 2 }", "1:19: this key is written twice"),
        ("a = { b = 1 }\na.c = 2", "2:8: this adds to something that is already complete above"),
        ('a = "\\d"', r"1:8: a backslash in text is written \\, or the text stands in single quotes"),
        ('a = "\\u12"', r"1:8: \u and \U are followed by 4 and 8 hexadecimal digits"),
        ('a = "\\ud800"', r"1:12: \u and \U name a character that exists"),
        ("a = 2026-02-30", "1:5: this day or time does not exist"),
        ("= 1", "1:1: neither a [section] nor a key = value"),
        (". = 1", "1:1: neither a [section] nor a key = value"),
        ("a. = 1", "1:4: a key has letters, digits, - and _, or stands in quotes"),
    ],
)
def test_what_is_not_toml_is_told_in_plain_words(text: str, says: str) -> None:
    """The parser's words, which differ from version to version, are never shown."""
    assert mistakes(text) == [says]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = 1 # \x00", "1:9: there is a character here that cannot be seen: U+0000, a control character"),
        ("a = 1\rb = 2", "1:6: there is a character here that cannot be seen: U+000D, a control character"),
        ("a = '\u202e'", "1:6: there is a character here that cannot be seen: U+202E, right-to-left override"),
        ("a = '\u2066'", "1:6: there is a character here that cannot be seen: U+2066, left-to-right isolate"),
        ("\ufeffa = 1", "1:1: there is a character here that cannot be seen: U+FEFF, zero width no-break space"),
        ("a = '\ud800'", "1:6: there is a character here that cannot be seen: U+D800, a control character"),
        ("# é\n# \u200b", "2:3: there is a character here that cannot be seen: U+200B, zero width space"),
        ("# \u2028", "1:3: there is a character here that cannot be seen: U+2028, line separator"),
    ],
)
def test_what_cannot_be_seen_is_refused(text: str, says: str) -> None:
    """A reviewer sees all that a parser sees, in comments too."""
    assert mistakes(text) == [says]


def test_typographic_spaces_may_stand_in_comments() -> None:
    """French puts a no-break space before a colon; only the missing sections are reported."""
    assert all("missing" in line for line in mistakes("# Remarque\u00a0: « Noël »\n"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = " + "[" * 50_000, "1:4097: the line is too long: at most 4096 characters"),
        ("a = " + "[\n" * 50_000, "17:1: brackets are nested too deeply: at most 16 levels"),
        ("a = " + "{b = " * 17, "1:85: brackets are nested too deeply: at most 16 levels"),
        (".".join("a" * 20_000) + " = 1", "1:4097: the line is too long: at most 4096 characters"),
        (".".join("a" * 18) + " = 1", "1:34: too many dots in one line: at most 16 outside quotes"),
        (".".join(['"a.b"'] * 18) + " = 1", "1:102: too many dots in one line: at most 16 outside quotes"),
        ("a = " + "1" * 5000, "1:4097: the line is too long: at most 4096 characters"),
        ("#" * 256_001, "1:1: the text is too large: an inventory has at most 256 kB"),
        ("é" * 128_001, "1:1: the text is too large: an inventory has at most 256 kB"),
    ],
)
def test_what_would_keep_a_parser_busy_is_refused_first(text: str, says: str) -> None:
    """A dotted key of 40 kB costs tomllib six seconds, and deep nesting its stack."""
    assert says in mistakes(text)


@pytest.mark.parametrize(
    "text",
    [
        "# " + "[" * 99 + "." * 99,
        'a = "' + "[" * 99 + "." * 99 + '"',
        "a = '" + "[" * 99 + "\\'",
        'a = """\n' + '"[' * 99 + "\n" + "." * 99 + '"""',
        "a = '''\n" + "'[" * 99 + "." * 99 + "'''",
        'a = "\\"' + "[" * 99 + '"',
        'a = """' + "[" * 99 + '\\""""""',
    ],
)
def test_brackets_and_dots_inside_text_do_not_count(text: str) -> None:
    """Bounds are for the structure; a text may hold what it likes."""
    assert not any("too" in line for line in mistakes(text))


def test_a_text_full_of_what_cannot_be_seen_is_answered_in_one_page() -> None:
    """Neither the answer nor the time for it grows with the attack."""
    assert len(mistakes("\u202e" * 80_000)) == 50
