"""The transcript in README.md is what the demo prints today."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.timeout(300)
def test_the_readme_shows_a_real_run() -> None:
    """The demo, run on a practice PACS of its own, prints what README.md shows; else: `make transcript`."""
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "transcript.py", "--check"],
        capture_output=True,
        text=True,
        timeout=290,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
