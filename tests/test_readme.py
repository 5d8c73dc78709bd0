"""What the README and docs/commands.md show works: Python snippets run, and commands are commands."""

import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from normbench.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = README + (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=["torch", "jax"])
def test_snippet_trains(snippet: str) -> None:
    # the loss after each step, however the snippet computes it
    space: dict[str, object] = {}
    first = snippet.replace("range(50)", "range(1)")
    exec(compile(first, "README.md", "exec"), space)
    start = float(space["loss"] if "model" in space else space["value"])
    exec(compile(snippet, "README.md", "exec"), space)
    end = float(space["loss"] if "model" in space else space["value"])
    assert np.isfinite(end)
    assert end < start


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`normbench ([a-z]+)", PAGES))))
def test_command_exists(command: str) -> None:
    assert CliRunner().invoke(main, [command, "--help"]).exit_code == 0
