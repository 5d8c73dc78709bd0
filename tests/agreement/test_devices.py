"""Samples that are spread over devices make the runs of one device, whatever an optimiser asks of them."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from normbench import specs
from normbench.records.schema import from_json
from tests.agreement.comparison import deviation_of
from tests.agreement.conftest import build, problem_for
from tests.agreement.spread_runs import CASES, DEVICES, made
from tests.running.few_digits import asked, assert_same_run, trained

# torch's own: torch.func.jvp loads decompositions that torch still compiles by torch.jit
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")

TOLERANCE = 1e-9


@pytest.fixture(scope="module")
def in_jax():
    call = [sys.executable, "-m", "tests.agreement.spread_in_jax"]
    found = subprocess.run(call, capture_output=True, text=True, check=False, env=os.environ | {"JAX_PLATFORMS": "cpu"})
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


@pytest.fixture(scope="module")
def on_one():
    return {name: made(name, "torch", 1) for name in CASES}


def assert_same(found, expected):
    for name in ("loss", "step_size", "errors"):
        np.testing.assert_allclose(found[name], expected[name], rtol=TOLERANCE)
    for ours, theirs in zip(found["weights"], expected["weights"], strict=True):
        assert np.linalg.norm(np.subtract(ours, theirs)) <= TOLERANCE * np.linalg.norm(theirs)


@pytest.mark.parametrize("name", CASES)
def test_a_run_over_devices_is_that_of_one(name, on_one, in_jax):
    in_torch = made(name, "torch", DEVICES)
    assert_same(in_torch, on_one[name])
    assert in_torch["passes"] == on_one[name]["passes"]
    assert_same(in_jax["runs"][name], on_one[name])
    assert on_one[name]["loss"][-1] != on_one[name]["loss"][0]


@pytest.mark.parametrize("key", specs.on("torch"))
def test_every_optimiser_of_torch_follows(key):
    one, several = (build("torch", problem_for(key), key, devices=devices) for devices in (1, 3))
    assert one.advance(12) == several.advance(12) == 12
    assert deviation_of(several.trajectory(), one.trajectory()) <= TOLERANCE
    assert several.trajectory().halvings == one.trajectory().halvings
    assert several.test_loss() == pytest.approx(one.test_loss(), rel=TOLERANCE)


@pytest.mark.parametrize(
    ("task", "key", "fields"),
    [("digits-conv-xent", "method1", {"batch_size": 16}), ("digits-xent", "geodesic_lbfgs", {})],
)
def test_derivatives_along_curves_are_summed_in_torch(task, key, fields):
    """By forward mode in every thread; those of the perceptron, by hand, are above."""
    one, several = (trained(task, key, "torch", devices=devices, **fields) for devices in (1, DEVICES))
    assert_same_run(several, one, asked(task, key, "torch", **fields), TOLERANCE)


def test_derivatives_along_curves_are_summed_in_jax(in_jax):
    one, several = in_jax["along"]
    for found, expected in zip(several, one, strict=True):
        np.testing.assert_allclose(found, expected, rtol=TOLERANCE)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_gauss_newton_matrices_are_summed_in_jax(activation, in_jax):
    one, several = in_jax["matrices"][activation]
    for found, expected in zip(several, one, strict=True):
        np.testing.assert_allclose(found, expected, rtol=TOLERANCE, atol=1e-14)
    assert max(one[0]) > 0


@pytest.mark.parametrize("key", specs.on("jax"))
def test_every_optimiser_of_jax_takes_steps(key, in_jax):
    assert in_jax["steps"][key]


def test_a_worker_has_as_many_devices_of_its_processor_as_its_run(in_jax):
    """Whatever it made before; the record says how many."""
    assert in_jax["counts"] == [1, DEVICES, 1]
    record = from_json(in_jax["record"], source="the worker")
    assert (record.outcome.status, record.request.devices) == ("done", DEVICES)
