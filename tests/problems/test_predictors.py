"""The trivial predictors are what their names say, on the run's own split."""

import numpy as np
import pytest

from normbench.data.dataset import Dataset
from normbench.data.images import image_dataset
from normbench.problems.predictors import error_rms, trivial_predictors

pytestmark = pytest.mark.quick


def test_error_rms_is_the_root_of_the_mean_squared_norm():
    targets = np.array([[3.0, 4.0], [0.0, 0.0]])
    assert error_rms(targets, np.zeros_like(targets)) == pytest.approx(np.sqrt(25 / 2))


def test_on_the_simulated_flight_they_stand_where_expected(dataset):
    found = [trivial_predictors(dataset, split="random", seed=seed) for seed in range(3)]
    means = {name: np.mean([f[name]["test"] for f in found]) for name in found[0]}
    assert means == pytest.approx({"zero": 1.253, "mean": 1.127, "linear": 0.853}, rel=0.01)


def test_the_linear_predictor_recovers_a_linear_map_of_unit_norm_inputs():
    rng = np.random.default_rng(0)
    inputs, slope = rng.normal(size=(500, 4)), rng.normal(size=(4, 2))
    outputs = inputs / np.linalg.norm(inputs, axis=1, keepdims=True) @ slope
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
    assert found["linear"]["gain"] == pytest.approx(np.sqrt(np.linalg.eigvalsh(slope.T @ slope).max()))


def images(pixels, labels, classes, training):
    """Images of one row of pixels, divided by 16."""
    return image_dataset(
        "made",
        np.array(pixels)[:, None, None],
        np.array(labels),
        classes=tuple("abc"[:classes]),
        brightest=16,
        dtype=np.float64,
        training=training,
    )


def test_predictors_of_classes_by_hand():
    """Training labels 0, 0, 0, 1; of the two pixels the brighter one tells the class."""
    pixels = [[16, 0], [8, 0], [4, 0], [0, 2], [0, 16], [1, 0]]
    found = trivial_predictors(images(pixels, [0, 0, 0, 1, 1, 1], 2, 4), split="official", seed=0)
    assert found["zero"] == {"train": 1.0, "test": 1.0, "train_accuracy": 0.75, "test_accuracy": 0.0}
    # shares 3/4 and 1/4: an error of 1/4 (1, -1) where the class is 0, of 3/4 (-1, 1) where it is 1
    assert found["mean"] == pytest.approx(
        {
            "train": np.sqrt((3 * 2 / 16 + 2 * 9 / 16) / 4),
            "test": np.sqrt(2 * 9 / 16),
            "train_accuracy": 0.75,
            "test_accuracy": 0.0,
        }
    )
    # unit norms make all pixels 1: the training set is learned, and the last test image is taken for class 0
    # the two pixels are then the two classes: B = I
    assert found["linear"] == pytest.approx(
        {"train": 0.0, "test": 1.0, "train_accuracy": 1.0, "test_accuracy": 0.5, "gain": 1.0}
    )


def tokens(inputs, outputs, classes, official):
    return Dataset(
        name="made",
        simulated=False,
        inputs=np.array(inputs),
        outputs=np.array(outputs),
        time=None,
        flight=None,
        input_names=(),
        output_names=(),
        unit="probability",
        classes=tuple("abc"[:classes]),
        official=np.array(official),
    )


def test_predictors_of_tokens_by_hand():
    """Training tokens a, a, b, a: shares 3/4, 1/4 and 0; the test has b, c."""
    made = tokens([[0, 0], [2, 1], [0, 1]], [[0, 0], [1, 0], [1, 2]], 3, [False, False, True])
    found = trivial_predictors(made, split="official", seed=0)
    assert set(found) == {"zero", "mean"}
    assert found["zero"] == {"train": 1.0, "test": 1.0, "train_accuracy": 0.75, "test_accuracy": 0.0}
    errors = {0: 2 / 16, 1: 9 / 16 + 9 / 16, 2: 9 / 16 + 1 / 16 + 1}
    assert found["mean"] == pytest.approx(
        {
            "train": np.sqrt((3 * errors[0] + errors[1]) / 4),
            "test": np.sqrt((errors[1] + errors[2]) / 2),
            "train_accuracy": 0.75,
            "test_accuracy": 0.0,
        }
    )


def test_tokens_and_their_one_hot_rows_have_the_same_predictors():
    labels = np.random.default_rng(0).integers(3, size=(40, 2))
    official = np.arange(40) >= 30
    made = tokens(np.stack([labels[:, 1], labels[:, 0]], axis=1), labels, 3, official)
    rows = images(np.ones((80, 2), dtype=int), labels.ravel(), 3, 60)
    found, expected = (trivial_predictors(data, split="official", seed=0) for data in (made, rows))
    for name in ("zero", "mean"):
        assert found[name] == pytest.approx(expected[name])
