"""Claims about the contract between sources and everything that uses them."""

from dataclasses import replace

import numpy as np
import pytest

from normbench.data import Dataset, Kind
from normbench.errors import DataError, InvalidArgumentError

pytestmark = pytest.mark.quick


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


@pytest.fixture
def images() -> Dataset:
    generator = np.random.default_rng(1)
    return Dataset(
        name="images",
        simulated=False,
        inputs=generator.uniform(0.1, 1, size=(6, 1, 4, 5)).astype(np.float32),
        outputs=np.eye(3)[[0, 1, 2, 2, 1, 0]],
        time=None,
        flight=None,
        input_names=(),
        output_names=(),
        unit="probability",
        classes=("ape", "bee", "cat"),
        official=np.arange(6) >= 4,
    )


@pytest.fixture
def text() -> Dataset:
    tokens = np.array([0, 2, 1, 0, 0, 1, 2])
    return Dataset(
        name="text",
        simulated=False,
        inputs=tokens[:6].reshape(2, 3),
        outputs=tokens[1:].reshape(2, 3),
        time=None,
        flight=None,
        input_names=(),
        output_names=(),
        unit="probability",
        classes=("<unk>", "a", "b"),
        official=np.array([False, True]),
    )


def test_kind_follows_from_classes_and_inputs(sound: Dataset, images: Dataset, text: Dataset) -> None:
    assert [data.kind for data in (sound, images, text)] == [Kind.REGRESSION, Kind.CLASSIFICATION, Kind.TOKENS]


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


def test_content_hash_of_a_regression_is_the_one_it_always_was() -> None:
    flights = Dataset(
        name="pinned",
        simulated=True,
        inputs=np.arange(1.0, 7.0).reshape(3, 2),
        outputs=np.arange(3.0).reshape(3, 1) / 7,
        time=np.arange(3) / 10,
        flight=np.array([0, 0, 1]),
        input_names=("a", "b"),
        output_names=("y",),
        unit="N",
    )
    # Found before there were images and tokens; records are named by it.
    assert flights.sha256 == "0a8c4cf2ba1d8590c4ffe1da0eac2d46469be37ed59769b0f083d0479e4b2c0c"


def test_content_hash_of_images_covers_what_they_have(images: Dataset) -> None:
    changed = [
        replace(images, inputs=images.inputs[::-1]),
        replace(images, inputs=images.inputs.astype(np.float64)),
        replace(images, outputs=images.outputs[::-1, [1, 0, 2]]),
        replace(images, official=~images.official),
        replace(images, official=None),
        replace(images, classes=("ape", "bee", "cow")),
    ]
    assert len({data.sha256 for data in (images, *changed)}) == 7


def test_content_hash_does_not_depend_on_byte_order(images: Dataset) -> None:
    assert replace(images, inputs=images.inputs.astype(">f4")).sha256 == images.sha256


def test_black_image_is_an_error_and_names_its_row(images: Dataset) -> None:
    inputs = images.inputs.copy()
    inputs[4] = 0
    with pytest.raises(DataError, match="1 input samples of zero norm, first at row 4"):
        replace(images, inputs=inputs)


@pytest.mark.parametrize("scale", [-1, 255])
def test_pixels_outside_0_to_1_are_refused(images: Dataset, scale: int) -> None:
    with pytest.raises(DataError, match=r"pixels of data set 'images' span .*scale them to \[0, 1\]"):
        replace(images, inputs=images.inputs * scale)


@pytest.mark.parametrize("row", [[1, 1, 0], [0, 0, 0], [0.5, 0.5, 0], [2, -1, 0]])
def test_row_that_is_not_one_hot_is_named(images: Dataset, row: list[float]) -> None:
    outputs = images.outputs.copy()
    outputs[3] = row
    with pytest.raises(DataError, match="not one-hot in 1 samples, first at row 3"):
        replace(images, outputs=outputs)


def test_nan_in_an_image_is_named_with_its_row(images: Dataset) -> None:
    inputs = images.inputs.copy()
    inputs[2, 0, 1, 1] = np.nan
    with pytest.raises(DataError, match=r"inputs of data set 'images' has NaN or infinite .* first at row 2"):
        replace(images, inputs=inputs)


@pytest.mark.parametrize("change", [{"outputs": np.eye(3)[:2]}, {"official": np.zeros(5, dtype=bool)}])
def test_array_of_another_length_than_the_images_is_refused(images: Dataset, change: dict[str, np.ndarray]) -> None:
    with pytest.raises(DataError, match=r"has shape .*; expected \(6,"):
        replace(images, **change)


def test_official_must_be_a_mask(images: Dataset) -> None:
    with pytest.raises(DataError, match="official of data set 'images' has dtype int64; expected bool"):
        replace(images, official=np.arange(6))


def test_time_without_flight_is_refused(images: Dataset) -> None:
    with pytest.raises(DataError, match="has time and no flight"):
        replace(images, time=np.arange(6.0))


@pytest.mark.parametrize("token", [-1, 3])
def test_token_without_a_word_is_refused(text: Dataset, token: int) -> None:
    inputs = text.inputs.copy()
    inputs[0, 0] = token
    with pytest.raises(DataError, match="tokens are integers from 0 to 2"):
        replace(text, inputs=inputs)


def test_tokens_must_be_followed_by_the_next_ones(text: Dataset) -> None:
    with pytest.raises(DataError, match="not the next tokens in 2 sequences, first at row 0"):
        replace(text, outputs=text.inputs)


def test_token_sequences_of_unequal_length_are_refused(text: Dataset) -> None:
    with pytest.raises(DataError, match=r"outputs of data set 'text' has shape \(2, 2\); expected \(2, 3\)"):
        replace(text, outputs=text.outputs[:, :2])


def test_all_zero_tokens_are_no_error(text: Dataset) -> None:
    assert replace(text, inputs=0 * text.inputs, outputs=0 * text.outputs).sha256 != text.sha256


@pytest.mark.parametrize("kind", ["sound", "images", "text"])
def test_taken_rows_keep_all_that_belongs_to_them(kind: str, request: pytest.FixtureRequest) -> None:
    whole: Dataset = request.getfixturevalue(kind)
    rows = np.array([1, 0, 1])
    part = whole.take(rows)
    for field in ("inputs", "outputs", "time", "flight", "official"):
        array, taken = getattr(whole, field), getattr(part, field)
        assert (taken is None) if array is None else np.array_equal(taken, array[rows])
    assert (part.classes, part.kind, part.unit, part.name) == (whole.classes, whole.kind, whole.unit, whole.name)
    assert part.sha256 != whole.sha256


def test_rows_may_be_a_mask(images: Dataset) -> None:
    np.testing.assert_array_equal(images.take(images.official).inputs, images.inputs[4:])


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "got float64 of shape"),
        (np.array([], dtype=int), "got 0 rows"),
        (np.zeros(6, dtype=bool), "got 0 rows"),
        ([0, 6], "from 0 to 6"),
        ([-1], "from -1 to -1"),
        (np.ones(5, dtype=bool), r"mask of shape \(6,\); got bool"),
        ([[0, 1]], "of shape"),
        ([0.0], "got float64"),
    ],
)
def test_rows_that_cannot_be_taken_are_refused(images: Dataset, rows: np.ndarray, said: str) -> None:
    with pytest.raises(InvalidArgumentError, match=f"rows must be .*{said}"):
        images.take(rows)
