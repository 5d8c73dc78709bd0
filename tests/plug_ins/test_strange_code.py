"""Code of others that ends the program, prints, or has defaults that no file holds."""

import json
import sys

import pytest

from normbench import specs
from normbench.errors import PlugInError
from tests.cli.calls import call
from tests.plug_ins.test_optimisers import CALL

SOURCE = """
import torch
print("imported")
class Strange(torch.optim.SGD):
    def __init__(self, params, lr=0.1, when=-1, betas=(0.9, float("inf")), cap=float("inf"), most=10**30, eps=1e-8):
        print("made")
        super().__init__(params, lr)
        self.steps, self.when = 0, when
        self.exits()
    def exits(self):
        if self.when == self.steps:
            raise SystemExit(3)
    def step(self, closure=None):
        print("stepped")
        self.steps += 1
        self.exits()
        return super().step()
"""
TORCH = [*CALL, "--backend", "torch", "--tune", "none"]


@pytest.fixture
def strange(module, monkeypatch):
    monkeypatch.delitem(sys.modules, "strange", raising=False)  # another test has imported its own
    module("strange", SOURCE)
    return "strange:Strange"


def test_defaults_that_no_file_holds_stay_what_they_are(strange):
    assert [h.name for h in specs.get(strange).hyperparameters] == ["learning_rate", "when", "eps"]


@pytest.mark.usefixtures("in_this_process")
def test_what_it_prints_is_not_on_the_output_that_programs_read(strange, tmp_path):
    ended = call(*TORCH, "--optimiser", strange, "--format", "json", "--out", tmp_path)
    assert ended.exit_code == 0, ended.output
    [line] = ended.stdout.splitlines()
    assert json.loads(line)["optimiser"] == strange
    assert all(word in ended.stderr for word in ("imported", "made", "stepped"))


def test_a_module_that_exits_is_refused(module):
    module("leaving", "import sys\nsys.exit(4)")
    with pytest.raises(PlugInError, match=r"cannot be imported: SystemExit: 4\. Repair the package"):
        specs.get("leaving:X")


@pytest.mark.parametrize(("when", "said"), [(0, "cannot be made with"), (1, "cannot take a step with")])
@pytest.mark.usefixtures("in_this_process")
def test_an_optimiser_that_exits_is_refused_before_anything_runs(when, said, strange, tmp_path):
    ended = call(*TORCH, "--optimiser", strange, "--set", f"when={when}", "--out", tmp_path)
    assert ended.exit_code == 2, ended.output
    [line] = [line for line in ended.stderr.splitlines() if line.startswith("Error")]
    assert f"{said} " in line
    assert "SystemExit: 3" in line


@pytest.mark.usefixtures("in_this_process")
def test_one_that_exits_later_is_a_failed_run(strange, tmp_path):
    ended = call(*TORCH, "--optimiser", strange, "--set", "when=2", "--out", tmp_path)
    assert ended.exit_code == 1, ended.output
    assert "SystemExit: 3" in ended.stderr
    assert "1 of the runs failed" in " ".join(ended.stderr.split())
