"""Two processes take the steps of one: with the samples spread over them, and with sharded parameters or optimisers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from torch_members import COUPLED, LAYERWISE, names

from tests.pages import SECTIONS, same_output

[ON_THE_PAGE] = [snippet for snippet in SECTIONS["devices", "Processes and shards"] if "torchrun" in snippet.command]
QUASI_NEWTON = ("geodesic_lbfgs", "online_lbfgs")
KEYS = ("method1", "method1-forward", "method2", "agd", "fromage", "lars", *QUASI_NEWTON, "polar_average")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What two processes found of spread samples and of sharded parameters."""
    folder = tmp_path_factory.mktemp("processes")
    (folder / "page.py").write_text(ON_THE_PAGE.code, encoding="utf-8")
    command = [sys.executable, str(Path(__file__).with_name("two_processes.py")), str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads((folder / "results.json").read_text())


def test_the_program_of_the_page_prints_what_the_page_says(results):
    assert same_output(results["printed"], ON_THE_PAGE.output), results["printed"]


@pytest.fixture(scope="module")
def deviations(results):
    return results["samples"]


@pytest.fixture(scope="module")
def sharded(results):
    return results["parameters"]


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("float64", 1e-12)])
@pytest.mark.parametrize("key", KEYS)
def test_two_processes_take_the_steps_of_one(deviations, key, dtype, tolerance):
    magnified = 100 if key in QUASI_NEWTON and dtype == "float32" else 1  # rounding, by quasi-Newton directions
    assert deviations[f"{key}-{dtype}"] <= tolerance * magnified


@pytest.mark.parametrize("way", ["fully_shard", "zero"])
@pytest.mark.parametrize("member", LAYERWISE, ids=names(LAYERWISE))
def test_shards_of_layers_that_move_alone_move_as_the_whole_layers_do(sharded, member, way):
    if member.kind.__name__ == "FGSGD":  # its index sets are those of the whole weight, drawn by its place
        assert isinstance(sharded[f"{way}-{member.name}"], str)
        return
    assert sharded[f"{way}-{member.name}"] <= 1e-12


@pytest.mark.parametrize("member", COUPLED, ids=names(COUPLED))
def test_a_step_that_couples_all_layers_refuses_a_part_of_them(sharded, member):
    name = member.kind.__name__
    assert f"is a DTensor, a shard of a weight. The step of {name} couples" in sharded[f"fully_shard-{member.name}"]
    assert f"{name} cannot be made by ZeroRedundancyOptimizer of" in sharded[f"zero-{member.name}"]
