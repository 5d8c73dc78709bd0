"""The snippets of Python in the README train; its commands are in tests/test_shown_commands.py."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=["torch", "jax"])
def test_snippet_trains(snippet: str) -> None:
    """The loss before each step, however the snippet computes it, falls: the loop for one step, and for four more."""
    torch.manual_seed(0)
    assert snippet.count("range(50)") == 1
    space: dict[str, object] = {}
    losses = []
    head, loop, rest = snippet.partition("for _ in range(50):")
    for code in (head + loop.replace("50", "1") + rest, loop.replace("50", "4") + rest):
        exec(compile(code, "README.md", "exec"), space)
        losses.append(float(space["loss"] if "model" in space else space["value"]))
    assert np.isfinite(losses[1])
    assert losses[1] < losses[0]
