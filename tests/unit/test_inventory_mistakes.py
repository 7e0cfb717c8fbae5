"""One mistake in a good inventory, and exactly what is said of it."""

import tomllib
from pathlib import Path
from typing import Self

import pytest
from pydantic import field_validator, model_validator

from maintainer.errors import InventoryError
from maintainer.inventory_file.load import parse_inventory
from maintainer.model.task import Params
from tasks.db_vacuum import DbVacuum, VacuumParams
from tests.unit.inventory_texts import GOOD, HOST_KEY, REGISTER, mistakes, spoiled

CASES = [
    pytest.param(mistake, id=f"{file.stem}-{number}")
    for file in sorted((Path(__file__).parent / "inventory_mistakes").glob("*.toml"))
    for number, mistake in enumerate(tomllib.loads(file.read_text("utf-8"))["mistake"])
]
KNOWN_HOSTS = 'known_hosts = "/etc/maintainer/known_hosts"\n'
TREE = '[nodes.pacs-b.store]\narchive = "tree"\npath = "/srv/research"\n'
OF_NODE = '[nodes.pacs-b.tasks.dicom-integrity]\nverify_all_within = "30d"\n'
SECRET = "hunter2hunter2"  # noqa: S105 (a canary)


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_told_in_these_words(case: dict[str, str | list[str]]) -> None:
    """Each mistake gives its own line, at its own place, and no other line."""
    assert mistakes(spoiled(str(case["replace"]), str(case["by"]))) == case["says"]


@pytest.mark.parametrize("case", CASES)
def test_no_line_has_words_of_the_libraries(case: dict[str, str | list[str]]) -> None:
    """What pydantic and tomllib say never reaches the reader, and a line stays one line."""
    for line in mistakes(spoiled(str(case["replace"]), str(case["by"]))):
        assert line.isprintable()
        assert not any(word in line for word in ("Input", "Extra", "pydantic", "Value error", "dict", "None", SECRET))


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    """Fields, cross-checks and tasks are reported together, sorted by line and column."""
    text = GOOD
    for old, new in (
        ('timezone = "Europe/Paris"', 'timezone = "Paris"'),
        ('opens = "22:00"', 'opens = "22h"'),
        ('members = ["pacs-a", "pacs-b"]', 'members = ["pacs-a", "pacs-c"]'),
        ("port = 4242", "port = 70000"),
        ('path = "/var/spool/pacs"', 'path = "/srv/dicom/tmp"'),
        ("dead_fraction = 0.2", "dead_fraction = 2"),
    ):
        text = text.replace(old, new)
    lines = mistakes(text)
    assert [line.split(": ")[1] for line in lines] == [
        "site.timezone",
        "windows.night.opens",
        "groups.archive.members[1]",
        "nodes.pacs-a.dicom.port",
        "nodes.pacs-a.cleanup.spool.path",
        "tasks.db-vacuum.dead_fraction",
    ]
    assert [int(line.split(":")[0]) for line in lines] == [3, 9, 14, 36, 39, 53]


def test_a_wrong_section_still_counts_as_a_section() -> None:
    """A database with a mistake in it does not also make its tasks homeless."""
    assert len(mistakes(spoiled('name = "pacs"\n', 'name = "p a c s"\n'))) == 1


def test_no_more_than_fifty_mistakes_are_told() -> None:
    """A wholly foreign file gives a page, and the number of what is left out."""
    lines = mistakes("".join(f"k{number} = 1\n" for number in range(3000)) + GOOD)
    assert len(lines) == 51
    assert lines[0].startswith("1:1: k0: there is no such setting")
    assert lines[50] == " and 2950 more"


@pytest.mark.parametrize(
    "setting",
    [
        f'password = "{SECRET}"',
        f'password = "-----BEGIN PRIVATE KEY-----{SECRET}"',
        f'password = ["{SECRET}"]',
        f'password = {{ file = "{SECRET}" }}',
        f'password = {{ fiel = "{SECRET}" }}',
        f'password = {{ credential = "{SECRET}.x" }}',
        f'passwort = "{SECRET}"',
        f'host = "-----BEGIN PRIVATE KEY-----{SECRET}"',
        f'password = "{SECRET}',
    ],
)
def test_a_secret_is_never_repeated(setting: str) -> None:
    """Whatever is wrong around a secret, the message does not spread it."""
    lines = mistakes(spoiled('password = { file = "/etc/maintainer/pacs-a" }', setting))
    assert lines
    assert SECRET not in "\n".join(lines)


def test_a_private_key_in_the_place_of_the_public_one_is_not_repeated() -> None:
    """The commonest slip with host keys is answered without spreading the key."""
    key = f"-----BEGIN OPENSSH PRIVATE KEY-----\\n{SECRET}"
    (line,) = mistakes(spoiled(f'host_key = "{HOST_KEY}"', f'host_key = "{key}"'))
    assert "this is a private key" in line
    assert SECRET not in line


class PairedParams(VacuumParams):
    @model_validator(mode="after")
    def check_pair(self) -> Self:
        if self.dead_fraction > 0.3 and not self.every:
            raise ValueError("a dead_fraction above 0.3 needs every")
        return self


class Paired(DbVacuum):
    params = PairedParams


def test_an_override_that_does_not_go_with_the_rest_is_told_on_its_node() -> None:
    """Settings that are right by themselves are checked together, as they will hold on that node."""
    with pytest.raises(InventoryError) as raised:
        parse_inventory(GOOD, "i.toml", REGISTER | {"db-vacuum": Paired()})
    (line,) = raised.value.problems
    assert line == "i.toml:42:21: nodes.pacs-a.tasks.db-vacuum: a dead_fraction above 0.3 needs every"


class BrokenParams(Params):
    @field_validator("window")
    @classmethod
    def break_off(cls, _: str) -> str:
        raise KeyError


class Broken(DbVacuum):
    params = BrokenParams


def test_a_check_of_a_third_party_that_breaks_off_is_a_mistake_too() -> None:
    """A task's own code cannot end the reading of the file."""
    with pytest.raises(InventoryError) as raised:
        parse_inventory(spoiled("port = 4242", "port = 0"), "i.toml", REGISTER | {"db-vacuum": Broken()})
    assert [problem.removeprefix("i.toml:") for problem in raised.value.problems] == [
        "36:8: nodes.pacs-a.dicom.port: 0 is not a port: it is a number from 1 to 65535",
        "51:8: tasks.db-vacuum: the task's own check of these settings broke off (KeyError)",
    ]


def test_a_long_value_is_cut_and_a_long_key_too() -> None:
    """An echo stays short, so that the sentence around it can be read."""
    (value,) = mistakes(spoiled('ae_title = "PACS A"', f'ae_title = "{"A" * 3000}"'))
    (key,) = mistakes(spoiled('ae_title = "PACS A"', f'ae_title = "PACS A"\n{"k" * 3000} = 1'))
    assert len(value) < 250
    assert "…" in value
    assert len(key) < 250


def test_the_sentence_of_the_design_stands() -> None:
    """This very line is promised to the sysadmins."""
    text = spoiled("port = 4242", "port = 70000")
    assert mistakes(text) == ["36:8: nodes.pacs-a.dicom.port: 70000 is not a port: it is a number from 1 to 65535"]


def test_the_same_text_without_a_mistake_is_accepted() -> None:
    """The good inventory, from which all cases are made, is good."""
    assert parse_inventory(GOOD, "i.toml", REGISTER).inventory.site.name == "general"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('closes = "05:00"', 'closes = "22:00"'),
        ('opens = "22:00"', "opens = 22:00:00"),
        ('address = "pacs-b.example"', 'address = "2001:db8::1"'),
        ('path = "/var/spool/pacs"', 'path = "/usr/local/pacs/spool"'),
        ('path = "/var/spool/pacs"', 'path = "/srv/dicom2"'),
        ('[groups.archive]\nmembers = ["pacs-a", "pacs-b"]\n', ""),
        ("[site]\n", '[site]\nholidays = "DE-BY"\n'),
        ("[site]\n", "[site]\nblackouts = [{ from = 2026-12-24, to = 2026-12-24, why = 'Noël' }]\n"),
        ('address = "pacs-b.example"\n[nodes.pacs-b.ssh]\n', 'address = "10.0.0.1"\n[nodes.pacs-b.ssh]\nport = 2222\n'),
        ("dead_fraction = 0.2", 'dead_fraction = 0.2\nnodes = ["pacs-a"]'),
        ("dead_fraction = 0.2", "smallest = 0"),
        (KNOWN_HOSTS, f'{KNOWN_HOSTS}{TREE}[tasks.dicom-integrity]\nwindow = "night"\nverify_all_within = "30d"\n'),
        (KNOWN_HOSTS, f'{KNOWN_HOSTS}{TREE}{OF_NODE}[tasks.dicom-integrity]\nwindow = "night"\n'),
        (KNOWN_HOSTS, f'{KNOWN_HOSTS}{TREE}[tasks.dicom-integrity]\nwindow = "night"\nnodes = ["pacs-a"]\n'),
    ],
)
def test_what_is_unusual_but_right_is_accepted(old: str, new: str) -> None:
    """Checks do not refuse what a site may well need."""
    parse_inventory(spoiled(old, new), "i.toml", REGISTER)
