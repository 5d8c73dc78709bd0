"""Claims about the contract between sources and everything that uses them."""

from dataclasses import replace

import numpy as np
import pytest

from normbench.data import Dataset
from normbench.errors import DataError


@pytest.fixture
def sound() -> Dataset:
    generator = np.random.default_rng(0)
    return Dataset(
        name="sound",
        simulated=False,
        inputs=generator.uniform(1, 2, size=(10, 2)),
        outputs=generator.normal(size=(10, 3)),
        time=np.arange(10) / 100,
        flight=np.zeros(10, dtype=np.int64),
        input_names=("a", "b"),
        output_names=("x", "y", "z"),
        unit="N",
    )


@pytest.mark.parametrize("field", ["inputs", "outputs", "time"])
def test_value_that_is_not_finite_is_named_with_its_row(sound: Dataset, field: str) -> None:
    array = getattr(sound, field).copy()
    array[6] = np.nan
    with pytest.raises(DataError, match=rf"{field} of data set 'sound' has NaN or infinite .* first at row 6"):
        replace(sound, **{field: array})


@pytest.mark.parametrize("field", ["inputs", "outputs", "time", "flight"])
def test_wrong_shape_is_named(sound: Dataset, field: str) -> None:
    array = getattr(sound, field)
    with pytest.raises(DataError, match=r"has shape .*; expected"):
        replace(sound, **{field: np.stack([array, array])})


def test_input_of_zero_norm_is_named_with_its_row(sound: Dataset) -> None:
    inputs = sound.inputs.copy()
    inputs[3] = 0
    with pytest.raises(DataError, match="1 input samples of zero norm, first at row 3"):
        replace(sound, inputs=inputs)


def test_empty_data_set_is_refused(sound: Dataset) -> None:
    with pytest.raises(DataError, match="no samples"):
        replace(sound, inputs=sound.inputs[:0], outputs=sound.outputs[:0], time=sound.time[:0], flight=sound.flight[:0])


@pytest.mark.parametrize("field", ["inputs", "outputs", "time", "flight"])
def test_content_hash_changes_with_every_array(sound: Dataset, field: str) -> None:
    array = getattr(sound, field).copy()
    array[2] += 1
    assert replace(sound, **{field: array}).sha256 != sound.sha256
    assert replace(sound).sha256 == sound.sha256
