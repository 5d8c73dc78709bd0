"""Claims about the digits of scikit-learn: the real images, without a download."""

import numpy as np
import pytest

from normbench import data
from normbench.data import Dataset, split_indices
from normbench.data.sources import digits
from normbench.errors import DataError, InvalidArgumentError

pytestmark = pytest.mark.quick


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return digits.SOURCE.load(None)


def test_digits_have_the_documented_size_and_scale(dataset: Dataset) -> None:
    assert (dataset.inputs.shape, dataset.inputs.dtype) == ((1797, 1, 8, 8), np.float64)
    assert (dataset.outputs.shape, dataset.outputs.dtype) == ((1797, 10), np.float64)
    assert (dataset.inputs.min(), dataset.inputs.max()) == (0, 1)
    assert len(np.unique(dataset.inputs)) == 17
    assert dataset.classes == tuple("0123456789")
    assert not dataset.simulated


def test_first_images_are_the_known_digits(dataset: Dataset) -> None:
    assert dataset.outputs[:12].argmax(axis=1).tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    np.testing.assert_array_equal(dataset.inputs[0, 0, 1] * 16, [0, 0, 13, 15, 10, 15, 5, 0])
    assert dataset.outputs.sum(axis=0).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_digits_are_checked_and_present_without_a_download() -> None:
    assert data.info("digits").present
    (path,) = data.fetch("digits")
    (row,) = data.verify("digits")
    assert path == row.file
    assert path.is_file()
    assert row.ok, f"expected {row.expected}, found {row.found}"


def test_changed_digits_are_refused(monkeypatch: pytest.MonkeyPatch, dataset: Dataset) -> None:
    monkeypatch.setattr(digits, "read_digits", lambda: dataset.take(np.arange(1796)))
    with pytest.raises(DataError, match=r"not the known ones.*Install scikit-learn again"):
        data.load("digits")
    assert not data.verify("digits")[0].ok


def test_digits_split_at_random_only(dataset: Dataset) -> None:
    split = split_indices(dataset, rule="random", seed=0)
    assert (len(split.train), len(split.test)) == (1438, 359)
    for rule in ("blocked", "official"):
        with pytest.raises(InvalidArgumentError, match="another rule: random"):
            split_indices(dataset, rule=rule, seed=0)
