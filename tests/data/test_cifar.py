"""Claims about CIFAR-10 and CIFAR-100, on generated archives in their format."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from normbench import data
from normbench.data import split_indices
from normbench.data.sources.cifar import CIFAR_10_SOURCE, CIFAR_100_SOURCE, IMAGE_BYTES, LAYOUTS, read_binary
from normbench.errors import DataError
from tests.published import stand_in

SOURCES = {"cifar-10": CIFAR_10_SOURCE, "cifar-100": CIFAR_100_SOURCE}
PER_MEMBER = 2


def records(name: str, seed: int) -> np.ndarray:
    """Rows of labels and pixels; the fine label is the last one."""
    layout, generator = LAYOUTS[name], np.random.default_rng(seed)
    labels = generator.integers(0, layout.classes, size=(PER_MEMBER, layout.label_bytes))
    pixels = generator.integers(0, 256, size=(PER_MEMBER, IMAGE_BYTES))
    return np.concatenate([labels, pixels], axis=1).astype(np.uint8)


def members_of(name: str) -> dict[str, bytes]:
    layout = LAYOUTS[name]
    images = {member: records(name, seed) for seed, member in enumerate((*layout.training, *layout.test))}
    names = "\n".join(f"class_{number}" for number in range(layout.classes)) + "\n\n"
    return {member: rows.tobytes() for member, rows in images.items()} | {layout.names: names.encode()}


def write_archive(folder: Path, name: str, members: dict[str, bytes]) -> Path:
    path = folder / LAYOUTS[name].archive
    with tarfile.open(path, "w:gz") as archive:
        for member, content in members.items():
            entry = tarfile.TarInfo(member)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


@pytest.mark.parametrize("name", list(LAYOUTS))
def test_archive_becomes_images_classes_and_the_test_part(tmp_path: Path, name: str) -> None:
    layout = LAYOUTS[name]
    write_archive(tmp_path, name, members_of(name))
    dataset = stand_in(SOURCES[name], tmp_path).load(tmp_path)
    training, samples = PER_MEMBER * len(layout.training), PER_MEMBER * (len(layout.training) + 1)
    written = np.concatenate([records(name, seed) for seed in range(len(layout.training) + 1)])
    assert (dataset.inputs.shape, dataset.inputs.dtype) == ((samples, 3, 32, 32), np.float32)
    np.testing.assert_array_equal(np.rint(dataset.inputs.reshape(samples, -1) * 255), written[:, layout.label_bytes :])
    np.testing.assert_array_equal(dataset.outputs.argmax(axis=1), written[:, layout.label_bytes - 1])
    np.testing.assert_array_equal(dataset.official, np.arange(samples) >= training)
    assert dataset.classes == tuple(f"class_{number}" for number in range(layout.classes))
    for rule in SOURCES[name].info.splits:
        assert len(split_indices(dataset, rule=rule, seed=0).test) > 0


def test_colours_are_channels_and_rows_run_from_the_top() -> None:
    members = members_of("cifar-10")
    image = np.zeros((3, 32, 32), dtype=np.uint8)
    image[1, 0, 31] = 255  # green, top right
    members["cifar-10-batches-bin/test_batch.bin"] = bytes([7]) + image.tobytes()
    np.testing.assert_array_equal(read_binary(members, name="cifar-10").inputs[-1], image / 255)


def test_nothing_is_unpacked(tmp_path: Path) -> None:
    members = members_of("cifar-100") | {"../escaped.txt": b"x", "cifar-100-binary/file.txt~": b"x"}
    path = write_archive(tmp_path, "cifar-100", members)
    stand_in(CIFAR_100_SOURCE, tmp_path).load(tmp_path)
    assert list(tmp_path.rglob("*")) == [path]
    assert not (tmp_path.parent / "escaped.txt").exists()


def test_archive_that_is_not_the_published_one_is_refused(tmp_path: Path) -> None:
    write_archive(tmp_path, "cifar-10", members_of("cifar-10"))
    with pytest.raises(DataError, match=r"not the published file: it holds 6,146 of 30,730,000 bytes: truncated"):
        data.load("cifar-10", data_dir=tmp_path)


def test_unpacked_binary_files_that_nobody_knows_are_refused_for_that_reason(tmp_path: Path) -> None:
    for name, content in members_of("cifar-100").items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=r"nobody states checksums of its unpacked files; cifar-100-binary\.tar\.gz is"):
        data.load("cifar-100", data_dir=tmp_path)


def test_member_cut_within_a_record_is_named() -> None:
    (member,) = LAYOUTS["cifar-100"].training
    members = members_of("cifar-100")
    members[member] = members[member][:-1]
    with pytest.raises(DataError, match=f"{member} has 6147 bytes; expected a multiple of 3074"):
        read_binary(members, name="cifar-100")


@pytest.mark.parametrize("as_link", [False, True], ids=["missing", "link"])
def test_missing_member_is_named_and_a_link_in_its_place_is_not_followed(tmp_path: Path, as_link: bool) -> None:
    members = members_of("cifar-10")
    source = stand_in(CIFAR_10_SOURCE, write_archive(tmp_path, "cifar-10", members).parent)
    del members["cifar-10-batches-bin/data_batch_4.bin"]
    path = write_archive(tmp_path, "cifar-10", members)
    if as_link:
        with tarfile.open(path, "w:gz") as archive:
            for name, content in members.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
            link = tarfile.TarInfo("cifar-10-batches-bin/data_batch_4.bin")
            link.type, link.linkname = tarfile.SYMTYPE, "data_batch_3.bin"
            archive.addfile(link)
    with pytest.raises(DataError, match=r"it lacks cifar-10-batches-bin/data_batch_4.bin"):
        source.load(tmp_path)


def test_wrong_number_of_class_names_is_refused() -> None:
    members = members_of("cifar-10") | {LAYOUTS["cifar-10"].names: b"airplane\nautomobile\n"}
    with pytest.raises(DataError, match="has 2 names; expected 10"):
        read_binary(members, name="cifar-10")
