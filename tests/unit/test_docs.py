"""What the pages say is what is there: commands, options, paths, links, exit codes, formats, versions."""

import doctest
import importlib.util
import json
import re
import shlex
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import click
import pytest

from maintainer import __version__
from maintainer.cli.root import cli
from maintainer.errors import Exit

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted(
    [
        *(ROOT / page for page in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "systemd/README.md")),
        *(ROOT / "docs").rglob("*.md"),
    ]
)
FORMAT = re.compile(r"maintainer\.[a-z-]+/\d+")
PLACES = ("", "maintainer", "tests", "tests/contract/intervention_log", "tests/contract/node")
EXAMPLES = {"tasks/thing_verb.py"}

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@cache
def text_of(page: Path) -> str:
    return page.read_text("utf-8")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def commands(text: str) -> Iterator[list[str]]:
    """Yield the arguments of each `maintainer …` that stands in code, in a line or in a block."""
    joined = text.replace("\\\n", " ")
    inline = re.findall(r"`maintainer ([^`\n]*)`", joined)
    blocks = re.findall(r"(?m)^(?:\$ | {4,})?(?:/opt/maintainer/bin/)?maintainer (.*)$", joined)
    for line in inline + blocks:
        yield shlex.split(re.split(r"[|>;]", line)[0], comments=True)


def parse(arguments: list[str]) -> None:
    """Parse a command line as click would, and run nothing.

    Raises:
        click.UsageError: there is no such command or option.
    """
    context = cli.make_context("maintainer", list(arguments))
    while isinstance(context.command, click.Group):
        rest = [*context._protected_args, *context.args]
        if not rest:
            return
        word, command, left = context.command.resolve_command(context, rest)
        assert command is not None
        if left:
            context = command.make_context(word, left, parent=context)
        else:
            return


@every_page
def test_every_command_line_parses(page: Path) -> None:
    """Each command and each option that a page names exists; that an argument is left out is fine in prose."""
    for arguments in commands(text_of(page)):
        try:
            parse(arguments)
        except (click.MissingParameter, click.exceptions.Exit):  # --version and --help end at once
            continue
        except click.UsageError as error:
            pytest.fail(f"{name(page)}: maintainer {shlex.join(arguments)}: {error.format_message()}")


def test_command_lines_are_found() -> None:
    """The check above looks at something, and would see a mistake."""
    found = [arguments for page in PAGES for arguments in commands(text_of(page))]
    assert len(found) > 40
    for wrong in (["plan", "--nod", "a"], ["pln"], ["log", "lst"], ["--inventry", "x", "plan"]):
        with pytest.raises(click.UsageError):
            parse(wrong)


@every_page
def test_every_link_leads_somewhere(page: Path) -> None:
    """A relative link names a file that exists and, after a #, one of its headings."""
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{name(page)}: {target}"
        assert not anchor or anchor in headings(there), f"{name(page)}: {target}"


@every_page
def test_every_path_exists(page: Path) -> None:
    """A file of this repository that stands in code is there; a module may be named from its package on."""
    for path in re.findall(r"`([\w./-]+/[\w.-]+\.(?:py|md|sql|sh|toml|service|timer|json))`", text_of(page)):
        if path in EXAMPLES or path.startswith(("/", "site_tasks/")):
            continue
        bases = (*(ROOT / place for place in PLACES), page.parent)
        assert any((base / path).exists() for base in bases), f"{name(page)}: {path}"


@every_page
def test_no_page_names_a_machine(page: Path) -> None:
    """No page names folders or users of the machine it was written on."""
    assert not re.search(r"/work/|/root/|/home/(?!you/)|@vm\b", text_of(page)), name(page)


def test_every_exit_code_is_explained() -> None:
    """Each code has a row in docs/exit-codes.md, and stands in `maintainer --help`."""
    rows = text_of(ROOT / "docs" / "exit-codes.md")
    helped = cli.get_help(click.Context(cli, info_name="maintainer"))
    for code in Exit:
        assert re.search(rf"(?m)^\| {code.value} \| {code.name.lower()} \|", rows), code
        assert re.search(rf"\b{code.value}\b", helped), code
    assert len(re.findall(r"(?m)^\| \d+ \|", rows)) == len(Exit)


def test_every_format_is_documented() -> None:
    """Each format that a command can answer in is explained in docs/json.md, and what is explained there exists."""
    documented = set(FORMAT.findall(text_of(ROOT / "docs" / "json.md")))
    assert formats_in("cli", "model", "planning", "running", "practice") <= documented <= formats_in(".")


def test_every_json_example_is_of_its_section() -> None:
    """Each example of docs/json.md is JSON, and of the format that its heading names."""
    sections = re.split(r"(?m)^## ", text_of(ROOT / "docs" / "json.md"))[1:]
    examples = [(head.split()[0], e) for head in sections for e in re.findall(r"(?ms)^```json\n(.*?)^```", head)]
    assert len(examples) >= len(sections)
    for heading, example in examples:
        assert json.loads(example)["format"] == heading


def test_the_changelog_has_this_version() -> None:
    """The version of the program has its section, with a day."""
    assert re.search(rf"(?m)^## \[{re.escape(__version__)}\] - \d{{4}}-\d\d-\d\d$", text_of(ROOT / "CHANGELOG.md"))


def test_every_decision_is_listed_and_dated() -> None:
    """Each decision has a number, a month and the three parts, and stands in the list."""
    listed = text_of(ROOT / "docs" / "decisions" / "README.md")
    pages = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    for page in pages:
        number, text = int(page.name[:4]), text_of(page)
        assert text.startswith(f"# {number}. ")
        assert re.search(r"(?m)^[A-Z][a-z]+ 20\d\d\. ", text)
        assert [line for line in text.splitlines() if line.startswith("## ")] == [
            "## Context",
            "## Decision",
            "## Consequences",
        ]
        assert f"({page.name})" in listed


def test_the_transcript_is_of_the_demo() -> None:
    """README.md shows the steps of docs/demo.sh, in their order; that it shows what they print has its own test."""
    script = transcript_script()
    _, _, rest = text_of(ROOT / "README.md").partition(script.BEGIN)
    shown, end, _ = rest.partition(script.END)
    assert end
    ran = [line.removeprefix("$ ") for line in shown.splitlines() if line.startswith("$ ")]
    assert ran == [shlex.join(step.argv) for step in script.steps()]


def test_the_transcript_is_laid_out_as_it_says() -> None:
    """The examples in docs/transcript.py hold."""
    assert doctest.testmod(transcript_script()).failed == 0


def formats_in(*packages: str) -> set[str]:
    sources = [source for package in packages for source in (ROOT / "maintainer" / package).rglob("*.py")]
    return {found for source in sources for found in FORMAT.findall(source.read_text("utf-8"))}


@cache
def headings(page: Path) -> set[str]:
    """List a page's headings as the anchors that links name. Source: GitHub's rule for section links."""
    found = re.findall(r"(?m)^#+ (.+)$", text_of(page))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}


@cache
def transcript_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_transcript", ROOT / "docs" / "transcript.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
