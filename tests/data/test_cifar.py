"""Claims about CIFAR-10 and CIFAR-100, on generated archives in their format."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from normbench import data
from normbench.data import split_indices
from normbench.data.cifar import CIFAR_10_SOURCE, CIFAR_100_SOURCE, IMAGE_BYTES, LAYOUTS, read_archive
from normbench.data.source import PublishedSource
from normbench.errors import DataError

WithDigests = Callable[[PublishedSource, Path], PublishedSource]

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
def test_archive_becomes_images_classes_and_the_test_part(
    tmp_path: Path, name: str, with_digests_of: WithDigests
) -> None:
    layout = LAYOUTS[name]
    write_archive(tmp_path, name, members_of(name))
    dataset = with_digests_of(SOURCES[name], tmp_path).load(tmp_path)
    training, samples = PER_MEMBER * len(layout.training), PER_MEMBER * (len(layout.training) + 1)
    written = np.concatenate([records(name, seed) for seed in range(len(layout.training) + 1)])
    assert (dataset.inputs.shape, dataset.inputs.dtype) == ((samples, 3, 32, 32), np.float32)
    np.testing.assert_array_equal(np.rint(dataset.inputs.reshape(samples, -1) * 255), written[:, layout.label_bytes :])
    np.testing.assert_array_equal(dataset.outputs.argmax(axis=1), written[:, layout.label_bytes - 1])
    np.testing.assert_array_equal(dataset.official, np.arange(samples) >= training)
    assert dataset.classes == tuple(f"class_{number}" for number in range(layout.classes))
    for rule in SOURCES[name].info.splits:
        assert len(split_indices(dataset, rule=rule, seed=0).test) > 0


def test_colours_are_channels_and_rows_run_from_the_top(tmp_path: Path) -> None:
    members = members_of("cifar-10")
    image = np.zeros((3, 32, 32), dtype=np.uint8)
    image[1, 0, 31] = 255  # green, top right
    members["cifar-10-batches-bin/test_batch.bin"] = bytes([7]) + image.tobytes()
    write_archive(tmp_path, "cifar-10", members)
    np.testing.assert_array_equal(read_archive(tmp_path, name="cifar-10").inputs[-1], image / 255)


def test_nothing_is_unpacked(tmp_path: Path) -> None:
    members = members_of("cifar-100") | {"../escaped.txt": b"x", "cifar-100-binary/file.txt~": b"x"}
    path = write_archive(tmp_path, "cifar-100", members)
    read_archive(tmp_path, name="cifar-100")
    assert list(tmp_path.rglob("*")) == [path]
    assert not (tmp_path.parent / "escaped.txt").exists()


def test_link_in_the_place_of_a_member_is_not_followed(tmp_path: Path) -> None:
    (member,) = LAYOUTS["cifar-100"].test
    members = members_of("cifar-100")
    del members[member]
    path = write_archive(tmp_path, "cifar-100", members)
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        link = tarfile.TarInfo(member)
        link.type, link.linkname = tarfile.SYMTYPE, "train.bin"
        archive.addfile(link)
    with pytest.raises(DataError, match=f"lacks the member.*{member}"):
        read_archive(tmp_path, name="cifar-100")


def test_archive_that_is_not_the_published_one_is_refused(tmp_path: Path) -> None:
    write_archive(tmp_path, "cifar-10", members_of("cifar-10"))
    with pytest.raises(DataError, match="not the published file: expected sha256 c4a38c50"):
        data.load("cifar-10", data_dir=tmp_path)


@pytest.mark.parametrize("damage", ["truncated", "flipped byte", "emptied", "not an archive"])
def test_damaged_archive_is_one_clear_error(tmp_path: Path, damage: str) -> None:
    path = write_archive(tmp_path, "cifar-100", members_of("cifar-100"))
    content = bytearray(path.read_bytes())
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flipped byte":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        path.write_bytes(b"" if damage == "emptied" else b"not an archive")
    with pytest.raises(DataError, match=r"cifar-100-binary\.tar\.gz (is damaged|lacks the member)"):
        read_archive(tmp_path, name="cifar-100")


def test_member_cut_within_a_record_is_named(tmp_path: Path) -> None:
    (member,) = LAYOUTS["cifar-100"].training
    members = members_of("cifar-100")
    members[member] = members[member][:-1]
    write_archive(tmp_path, "cifar-100", members)
    with pytest.raises(DataError, match=f"member {member} has 6147 bytes; expected a multiple of 3074"):
        read_archive(tmp_path, name="cifar-100")


def test_missing_member_is_named(tmp_path: Path) -> None:
    members = members_of("cifar-10")
    del members["cifar-10-batches-bin/data_batch_4.bin"]
    write_archive(tmp_path, "cifar-10", members)
    with pytest.raises(DataError, match=r"lacks the member.*data_batch_4.bin"):
        read_archive(tmp_path, name="cifar-10")


def test_wrong_number_of_class_names_is_refused(tmp_path: Path) -> None:
    members = members_of("cifar-10") | {LAYOUTS["cifar-10"].names: b"airplane\nautomobile\n"}
    write_archive(tmp_path, "cifar-10", members)
    with pytest.raises(DataError, match="has 2 names; expected 10"):
        read_archive(tmp_path, name="cifar-10")
