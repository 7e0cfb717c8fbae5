"""What the command line says and offers, without a node."""

from datetime import timedelta
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from maintainer.cli.live import Lines, LiveView
from maintainer.cli.root import cli
from maintainer.model.action import NodeOperation
from maintainer.model.plan import Risk, Step
from maintainer.model.progress import Progress
from maintainer.running.events import StepProgress, StepStarted
from tests.unit.inventory_texts import GOOD


def _started(title: str, reason: str, node: str = "a") -> StepStarted:
    action = NodeOperation(program="quarantine", request={})
    step = Step(subject="s", title=title, reason=reason, action=action, risk=Risk.SLOWER, timeout=timedelta(hours=1))
    return StepStarted(node, "t", step)


def test_a_reason_is_said_once_for_the_steps_that_share_it() -> None:
    """Each node has its own; another reason is said again."""
    lines = Lines()
    said = [lines(_started(*words)) for words in (("one", "old"), ("two", "old"), ("three", "full"))]
    assert said == ["a  t: one … (old)", "a  t: two …", "a  t: three … (full)"]
    assert lines(_started("one", "full", "b")) == "b  t: one … (full)"


def test_how_far_a_step_is_stands_in_its_row() -> None:
    """The row of the node tells the phase, since when the step runs, and scrolls nothing."""
    view, printed = LiveView(steps=True), list[object]()
    view.print = printed.append
    begun = _started("vacuum t", "dead rows")
    view(begun)
    view(StepProgress(begun.node, begun.task, begun.step, Progress("scanning heap", 0.25)))
    assert str(view.render()) == "▸ a  t: vacuum t: scanning heap 25 %  0 s"
    assert printed == []


@pytest.mark.parametrize(
    ("words", "begun", "offered"),
    [
        (["run", "--node"], "", ["pacs-a", "pacs-b"]),
        (["run", "--node", "pacs-a", "-n"], "pacs-b", ["pacs-b"]),
        (["plan", "--task"], "db-v", ["db-vacuum"]),
        (["plan", "--window"], "n", ["night"]),
        (["log", "list", "--node"], "x", []),
        (["log", "open"], "", ["pacs-a", "pacs-b"]),
        (["node", "prepare"], "", ["pacs-a", "pacs-b"]),
        (["group", "thaw"], "", ["archive"]),
    ],
)
def test_names_of_the_inventory_are_offered(tmp_path: Path, words: list[str], begun: str, offered: list[str]) -> None:
    """Read from the inventory that the line names."""
    path = tmp_path / "site.toml"
    path.write_text(GOOD, "utf-8")
    shell = ShellComplete(cli, {}, "maintainer", "_MAINTAINER_COMPLETE")
    assert [item.value for item in shell.get_completions(["-i", str(path), *words], begun)] == offered


@pytest.mark.parametrize("text", [None, "[nodes", "nodes = 1", "[nodes.a]\n[nodes.a]\n"])
def test_a_wrong_inventory_offers_nothing(tmp_path: Path, text: str | None) -> None:
    """A key that is pressed for completion is no moment for errors."""
    path = tmp_path / "site.toml"
    if text is not None:
        path.write_text(text, "utf-8")
    shell = ShellComplete(cli, {}, "maintainer", "_MAINTAINER_COMPLETE")
    assert shell.get_completions(["-i", str(path), "run", "--node"], "") == []
