"""Claims about MNIST and Fashion-MNIST, on generated files in their format."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from normbench import data
from normbench.data import split_indices
from normbench.data.source import PublishedSource
from normbench.data.sources.idx_images import (
    FASHION_SOURCE,
    MNIST_SOURCE,
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    read_idx,
    read_images,
)
from normbench.errors import DataError
from tests.published import stand_in

IMAGES = np.random.default_rng(0).integers(1, 256, size=(20, 5, 4), dtype=np.uint8)
LABELS = (np.arange(20) * 3 % 10).astype(np.uint8)
TRAINING = 14


def idx(array: np.ndarray) -> bytes:
    """An array of unsigned bytes in the IDX format."""
    return bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape) + array.tobytes()


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / f"{name}.gz"
    path.write_bytes(gzip.compress(content, mtime=0))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, TRAIN_IMAGES, idx(IMAGES[:TRAINING]))
    write(tmp_path, TRAIN_LABELS, idx(LABELS[:TRAINING]))
    write(tmp_path, TEST_IMAGES, idx(IMAGES[TRAINING:]))
    write(tmp_path, TEST_LABELS, idx(LABELS[TRAINING:]))
    return tmp_path


@pytest.mark.parametrize("source", [MNIST_SOURCE, FASHION_SOURCE], ids=["mnist", "fashion-mnist"])
def test_files_become_scaled_images_and_one_hot_rows(folder: Path, source: PublishedSource) -> None:
    dataset = stand_in(source, folder).load(folder)
    assert (dataset.inputs.shape, dataset.inputs.dtype) == ((20, 1, 5, 4), np.float32)
    np.testing.assert_array_equal(np.rint(dataset.inputs[:, 0] * 255), IMAGES)
    np.testing.assert_array_equal(dataset.outputs, np.eye(10)[LABELS])
    np.testing.assert_array_equal(dataset.official, np.arange(20) >= TRAINING)
    assert len(dataset.classes) == source.info.classes == 10
    assert (dataset.name, dataset.unit, dataset.time) == (source.info.name, "probability", None)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.stem: gzip.decompress(path.read_bytes()) for path in folder.iterdir()}


def test_every_listed_split_works(folder: Path) -> None:
    dataset = read_images(contents(folder), name="mnist")
    for rule in MNIST_SOURCE.info.splits:
        split = split_indices(dataset, rule=rule, seed=0)
        np.testing.assert_array_equal(np.sort(np.concatenate([split.train, split.test])), np.arange(20))


def test_files_are_found_in_a_sub_folder_and_through_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = stand_in(FASHION_SOURCE, folder)
    inside = folder / "fashion_mnist"
    inside.mkdir()
    for file in FASHION_SOURCE.info.files:
        (folder / file.name).rename(inside / file.name)
    assert len(source.load(folder).inputs) == 20
    monkeypatch.setenv("NORMBENCH_DATA", str(folder))
    assert source.is_present()
    assert len(source.load(None).inputs) == 20
    assert all(row.ok for row in source.verify(None))


def test_files_that_are_not_the_published_ones_are_refused(folder: Path) -> None:
    with pytest.raises(DataError, match=f"{TRAIN_IMAGES}.gz is not the published file: its header counts 14 images"):
        data.load("mnist", data_dir=folder)
    assert [row.ok for row in data.verify("mnist", data_dir=folder)] == [False] * 4


def test_missing_file_is_named(folder: Path) -> None:
    (folder / f"{TEST_LABELS}.gz").unlink()
    with pytest.raises(DataError, match=f"lacks 1 file.*{TEST_LABELS}.*https://storage"):
        data.load("mnist", data_dir=folder)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "magic number 0x00000000 in 0 bytes"),
        (idx(IMAGES)[:10], "in 10 bytes"),
        (idx(LABELS), "magic number 0x00000801.*expected 0x00000803"),
        (b"\0\0\x0d\3" + idx(IMAGES)[4:], "magic number 0x00000d03"),
        (idx(IMAGES)[:-1], "has 399 bytes after its header; expected 400"),
        (idx(IMAGES) + b"\0", "has 401 bytes after its header; expected 400"),
        (b"\0\0\x08\3" + b"\0\0\0\0" + b"\xff" * 8, "has 0 bytes after its header; expected 0 for"),
        (b"\0\0\x08\3" + b"\xff" * 12, "has 0 bytes after its header; expected 79228162458924105385300197375"),
    ],
)
def test_content_that_is_no_stack_of_images_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(DataError, match=rf"{TRAIN_IMAGES} .*{said}"):
        read_idx(TRAIN_IMAGES, content, dimensions=3)


def test_images_without_as_many_labels_are_refused(folder: Path) -> None:
    write(folder, TEST_LABELS, idx(LABELS[TRAINING:-1]))
    with pytest.raises(DataError, match=f"6 images in {TEST_IMAGES}, but 5 labels"):
        read_images(contents(folder), name="mnist")


def test_parts_with_images_of_different_size_are_refused(folder: Path) -> None:
    write(folder, TEST_IMAGES, idx(IMAGES[TRAINING:, :4]))
    with pytest.raises(DataError, match=r"\(5, 4\) and test images of \(4, 4\)"):
        read_images(contents(folder), name="mnist")


def test_label_without_a_class_is_named_with_its_row(folder: Path) -> None:
    labels = LABELS.copy()
    labels[3] = 10
    write(folder, TRAIN_LABELS, idx(labels[:TRAINING]))
    with pytest.raises(DataError, match="label of row 3 in data set 'mnist' is 10; expected 0 to 9"):
        read_images(contents(folder), name="mnist")


def test_black_image_is_refused(folder: Path) -> None:
    images = IMAGES.copy()
    images[TRAINING + 1] = 0
    write(folder, TEST_IMAGES, idx(images[TRAINING:]))
    with pytest.raises(DataError, match=f"zero norm, first at row {TRAINING + 1}"):
        read_images(contents(folder), name="mnist")
