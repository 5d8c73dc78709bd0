"""ImageNet from a folder: which files it is, what becomes of one, and what is said of a folder that is not right."""

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from normbench import data
from normbench.data.sources.image_folder import IMAGENET_SOURCE
from normbench.data.streamed import DEVIATION, MEAN, TRIALS, Cut, StreamedImages, centre, rectangle
from normbench.errors import DataError
from tests.image_folders import CLASSES, SIDE, TEST, TRAINING, small_images, write_images


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("imagenet"))


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def images_of(folder: Path) -> StreamedImages:
    found = small_images(folder).inputs
    assert isinstance(found, StreamedImages)
    return found


def test_classes_are_the_sorted_folders_and_val_is_the_official_test_set(folder: Path) -> None:
    found = small_images(folder)
    assert found.classes == CLASSES
    assert found.inputs.shape == (3 * (TRAINING + TEST), 3, SIDE, SIDE)
    np.testing.assert_array_equal(found.official, np.repeat([False, True], [3 * TRAINING, 3 * TEST]))
    for file, label, official in zip(found.inputs.files, found.outputs, found.official, strict=True):  # type: ignore[attr-defined]
        part = "val" if official else "train"
        assert file.startswith(f"{part}/{CLASSES[label]}/{part}_{label}_")
        assert (folder / file).is_file()
    part = found.take(np.array([20, 3]))
    assert [*part.inputs.files] == [found.inputs.files[20], found.inputs.files[3]]  # type: ignore[attr-defined]
    assert part.sha256 != found.sha256


def test_nothing_is_opened_before_it_is_asked_for_and_then_only_that(copied: Path) -> None:
    names = images_of(copied).files
    for name in names[2:]:
        (copied / name).write_bytes(b"no image")
    images = images_of(copied).scaled(2.0)
    assert images[np.array([1, 0])].shape == (2, 3, SIDE, SIDE)
    with pytest.raises(DataError, match=rf"{names[2]} is no image that can be read: .*Replace it"):
        images[:3]


def test_an_image_as_it_is_is_the_middle_of_it_with_its_channels_normalised(folder: Path) -> None:
    """By hand: the shorter side becomes 37 = 32 * 256 / 224, rounded."""
    images = images_of(folder)
    file = images.files[0]
    with Image.open(folder / file) as image:
        assert image.size == (50, 40)
        resized = np.asarray(image.resize((46, 37), Image.Resampling.BILINEAR))  # 37 * 50 / 40 = 46.25
    cut = resized[2 : 2 + SIDE, 7 : 7 + SIDE] / 255  # (37 - 32) / 2 and (46 - 32) / 2
    expected = ((cut - MEAN) / DEVIATION).transpose(2, 0, 1)
    [found] = images[np.flatnonzero(images.files == file)]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    [scaled] = images.scaled(3.0)[np.flatnonzero(images.files == file)]
    np.testing.assert_allclose(scaled, 3 * expected / np.linalg.norm(expected), rtol=1e-4, atol=1e-6)
    assert found.dtype == scaled.dtype == np.float32
    assert [centre(Image.new("RGB", size), 224).size for size in ((500, 375), (375, 500), (9, 4000))] == [
        (224, 224)
    ] * 3


def test_random_crops_have_the_areas_and_ratios_of_torchvision() -> None:
    """Where a trial fits, area and log ratio are uniform; the place is uniform in what is left."""
    rng = np.random.default_rng(0)
    width, height, many = 400, 400, 3000
    boxes = np.array(
        [rectangle(Cut(*rng.random((2, TRIALS)), *rng.random(3)), width, height) for _ in range(many)], dtype=float
    )
    left, top, wide, high = boxes.T
    assert (left >= 0).all()
    assert (top >= 0).all()
    assert (left + wide <= width).all()
    assert (top + high <= height).all()
    area, ratio = wide * high / (width * height), np.log(wide / high)
    assert 0.075 < area.min() < 0.09
    assert area.max() > 0.95
    assert abs(ratio).max() < math.log(4 / 3) + 0.03
    small = area < 0.5  # which always fit
    assert abs(area[small].mean() - (0.08 + 0.5) / 2) < 0.01
    assert abs(ratio[small].mean()) < 0.02
    assert abs(ratio[small].std() - math.log(4 / 3) / math.sqrt(3)) < 0.01
    assert abs((left[small] / (width - wide[small])).mean() - 0.5) < 0.03
    never = Cut(np.full(TRIALS, 0.999), np.full(TRIALS, 0.5), 0.5, 0.5, 0.5)  # a square as large as a wide image
    assert rectangle(never, 1000, 90) == (440, 0, 120, 90)
    assert rectangle(never, 90, 1000) == (0, 440, 90, 120)


def test_draws_belong_to_the_place_in_the_batch_and_half_are_mirrored(folder: Path) -> None:
    images = images_of(folder)
    rows = np.arange(4)
    first, again, others = (images.crop_flip(rows, np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert all(not np.allclose(a, b) for a, b in zip(first, others, strict=True))
    swapped = images.crop_flip(np.array([5, 1, 2, 3]), np.random.default_rng(3))
    np.testing.assert_array_equal(swapped[1:], first[1:])
    many = images.crop_flip(np.zeros(400, int), np.random.default_rng(0))
    rising = np.linspace(-1, 1, SIDE)  # the generated images become brighter to the right
    mirrored = (many.mean(axis=(1, 2)) @ rising < 0).mean()
    assert 0.35 < mirrored < 0.65


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda path: path.rename(path.with_name("train_0_3b.JPEG")), True),
        (lambda path: path.unlink(), True),
        (lambda path: path.write_bytes(path.read_bytes()[:-10]), True),
        (lambda path: shutil.copy(path, path.with_name("train_0_9.JPEG")), True),
        (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\0"), True),
        (lambda path: path.touch(), False),
    ],
)
def test_the_identity_covers_names_sizes_and_ends(change, seen: bool, copied: Path) -> None:  # type: ignore[no-untyped-def]
    before = small_images(copied).sha256
    change(copied / "train" / CLASSES[0] / "train_0_3.JPEG")
    assert (small_images(copied).sha256 != before) == seen


def test_the_identity_covers_the_size_of_the_crops(folder: Path) -> None:
    assert IMAGENET_SOURCE.load(folder).sha256 != small_images(folder).sha256


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda root: shutil.rmtree(root / "val"), r"data set 'imagenet' is not in .*Get it from https.*data_dir"),
        (
            lambda root: shutil.rmtree(root / "val" / CLASSES[1]),
            f"different classes: 1 are in one alone, .*{CLASSES[1]}",
        ),
        (lambda root: [p.unlink() for p in (root / "train" / CLASSES[2]).iterdir()], f"{CLASSES[2]} has no image"),
        (lambda root: [shutil.rmtree(p) for p in (root / "train").iterdir()], "train has no sub-folders"),
    ],
)
def test_a_folder_that_is_not_right_is_refused_in_one_sentence(damage, said: str, copied: Path) -> None:  # type: ignore[no-untyped-def]
    damage(copied)
    with pytest.raises(DataError, match=said):
        small_images(copied)


def test_it_is_found_where_the_others_are(folder: Path, copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NORMBENCH_DATA", raising=False)
    assert not data.info("imagenet").present
    with pytest.raises(DataError, match="is in no folder that was named"):
        data.load("imagenet")
    with pytest.raises(DataError, match="cannot be downloaded by a program"):
        data.fetch("imagenet")
    copied.rename(copied.with_name("imagenet"))
    monkeypatch.setenv("NORMBENCH_DATA", str(copied.parent))
    assert data.info("imagenet").present
    assert data.load("imagenet").inputs.folder == copied.with_name("imagenet")  # type: ignore[attr-defined]


def test_verify_names_every_damaged_image(copied: Path) -> None:
    assert all(check.ok for check in data.verify("imagenet", data_dir=copied))
    broken = copied / "val" / CLASSES[0] / "val_0_1.JPEG"
    broken.write_bytes(broken.read_bytes()[:300])
    wrong = [check for check in data.verify("imagenet", data_dir=copied) if not check.ok]
    assert [check.file for check in wrong] == [broken]
    assert "is no image that can be read" in wrong[0].reason
