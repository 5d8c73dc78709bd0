"""The trivial predictors are what their names say, on the run's own split."""

import numpy as np
import pytest

from normbench.data.dataset import Dataset
from normbench.records.predictors import error_rms, trivial_predictors


def test_error_rms_is_the_root_of_the_mean_squared_norm():
    targets = np.array([[3.0, 4.0], [0.0, 0.0]])
    assert error_rms(targets, np.zeros_like(targets)) == pytest.approx(np.sqrt(25 / 2))


def test_on_the_simulated_flight_they_stand_where_expected(dataset):
    found = [trivial_predictors(dataset, split="random", seed=seed) for seed in range(3)]
    means = {name: np.mean([f[name]["test"] for f in found]) for name in found[0]}
    assert means == pytest.approx({"zero": 1.253, "mean": 1.127, "linear": 0.853}, rel=0.01)


def test_the_linear_predictor_recovers_a_linear_map_of_unit_norm_inputs():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(500, 4))
    outputs = inputs / np.linalg.norm(inputs, axis=1, keepdims=True) @ rng.normal(size=(4, 2))
    made = Dataset(
        name="made",
        simulated=True,
        inputs=inputs,
        outputs=outputs,
        time=np.arange(500) / 100,
        flight=np.zeros(500, dtype=np.int64),
        input_names=tuple("abcd"),
        output_names=tuple("xy"),
        unit="N",
    )
    found = trivial_predictors(made, split="random", seed=0)
    assert found["linear"]["test"] < 1e-12
    assert found["mean"]["test"] > 0.1
