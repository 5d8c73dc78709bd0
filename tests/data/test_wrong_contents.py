"""A file that is not the published one is refused for the true reason; with real MNIST at hand, also that one."""

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from normbench import data
from normbench.cli import main
from normbench.data.contents import CONTENTS
from normbench.data.sources.idx_images import FASHION_SOURCE, MNIST_SOURCE
from normbench.errors import DataError
from tests.small_sets import publish


def _page(name: str, content: bytes) -> bytes:
    return b"\n<!DOCTYPE html>\n<html><title>404</title></html>"


WRONG: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "empty": ("mnist", lambda path: path.write_bytes(b""), "it is empty"),
    "HTML": ("mnist", lambda path: path.write_bytes(_page("", b"")), "it is an HTML page"),
    "XML": ("neural-fly", lambda path: path.write_bytes(b'<?xml version="1.0"?><Error/>'), "it is an XML page"),
    "LFS": (
        "mnist",
        lambda path: path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"),
        "it is a pointer of Git LFS.*git lfs pull",
    ),
    "truncated gzip": ("mnist", lambda path: path.write_bytes(path.read_bytes()[:-30]), "it is truncated"),
    "flipped bit": ("mnist", lambda path: _flip(path), "damaged|single values"),
    "gzipped twice": (
        "mnist", lambda path: path.write_bytes(gzip.compress(path.read_bytes())), r"packed once more \(gzip\)",
    ),
    "labels for images": ("mnist", lambda path: _copy(path, "train-labels-idx1-ubyte"), "labels where images belong"),
    "test for training": ("mnist", lambda path: _copy(path, "t10k-images-idx3-ubyte"), "its header counts 5 images"),
    "cut after its header": (
        "mnist",
        lambda path: path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-9])),
        "it holds 9,415 of 9,424 bytes: truncated",
    ),
    "longer": (
        "mnist",
        lambda path: path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + b"x" * 9)),
        "it holds more than 9,424 bytes",
    ),
    "edited": (
        "mnist",
        lambda path: path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1] + b"\0")),
        "single values in it were changed",
    ),
    "other type": (
        "mnist", lambda path: path.write_bytes(b"\0\0\x0d\3" + bytes(99)), "not an IDX file.*begins with 0x00000d03",
    ),
    "rows taken out": (
        "neural-fly",
        lambda path: path.write_bytes(b"\n".join(path.read_bytes().split(b"\n")[:-2]) + b"\n"),
        r"it holds [\d,]+ of [\d,]+ bytes: truncated, or parts were taken out",
    ),
    "rows added": (
        "neural-fly", lambda path: path.write_bytes(path.read_bytes() + b"1,2,3\n"), "bytes more than the published",
    ),
    "cell changed": (
        "neural-fly", lambda path: path.write_bytes(path.read_bytes().replace(b"1.", b"2.", 1)), "single values",
    ),
}  # fmt: skip


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _copy(path: Path, name: str) -> None:
    shutil.copyfile(path.with_name(f"{name}.gz"), path)


@pytest.mark.parametrize("fault", WRONG)
def test_wrong_file_is_said_to_be_wrong_for_the_true_reason(tmp_path: Path, fault: str) -> None:
    key, spoil, said = WRONG[fault]
    source = publish(key, tmp_path / key)
    path = tmp_path / key / source.file_sets[0].files[0].name
    spoil(path)
    with pytest.raises(DataError, match=rf"{path.name} is not the published file: .*({said})"):
        source.load(tmp_path)
    wrong = [check for check in source.verify(tmp_path) if not check.ok]
    assert [check.file for check in wrong] == [path]
    assert wrong[0].reason


def test_another_published_file_is_named(real_mnist: Path, tmp_path: Path) -> None:
    for name in ("train-images", "train-labels", "t10k-images", "t10k-labels"):
        ending = "-idx3-ubyte.gz" if "images" in name else "-idx1-ubyte.gz"
        shutil.copyfile(real_mnist / (name + ending), tmp_path / (name + ending))
    _reason(tmp_path, "t10k-labels-idx1-ubyte.gz", real_mnist / "train-labels-idx1-ubyte.gz", "counts 60,000 labels")
    _reason(tmp_path, "train-labels-idx1-ubyte.gz", real_mnist / "t10k-labels-idx1-ubyte.gz", "it holds t10k-labels")
    with pytest.raises(DataError, match=r"it holds train-images-idx3-ubyte of mnist \(the training images\)"):
        FASHION_SOURCE.load(tmp_path)


def _reason(folder: Path, name: str, other: Path, said: str) -> None:
    kept = (folder / name).read_bytes()
    shutil.copyfile(other, folder / name)
    with pytest.raises(DataError, match=rf"{name} is not the published file: .*({said})"):
        MNIST_SOURCE.load(folder)
    (folder / name).write_bytes(kept)


@pytest.fixture
def real_mnist(real_data: Path) -> Path:
    folder = real_data / "mnist"
    if not folder.is_dir():
        pytest.skip("no mnist/ under NORMBENCH_DATA")
    return folder


def test_real_mnist_is_the_published_one_however_it_is_packed(real_mnist: Path, tmp_path: Path) -> None:
    assert all(check.ok for check in data.verify("mnist", data_dir=real_mnist))
    for content in CONTENTS["mnist"]:
        (tmp_path / content.aliases[0]).write_bytes(gzip.decompress((real_mnist / f"{content.name}.gz").read_bytes()))
    dataset = data.load("mnist", data_dir=tmp_path)
    assert dataset.inputs.shape == (70_000, 1, 28, 28)
    assert dataset.outputs[:60_000].sum(0).astype(int).tolist()[:3] == [5923, 6742, 5958]
    assert dataset.official is not None
    assert dataset.official.sum() == 10_000


def test_command_says_the_reason_and_exits_with_1(tmp_path: Path) -> None:
    for content in CONTENTS["mnist"]:
        (tmp_path / f"{content.name}.gz").write_bytes(_page("", b""))
    result = CliRunner().invoke(main, ["data", "verify", "mnist", "--data-dir", str(tmp_path)], env={"COLUMNS": "200"})
    assert result.exit_code == 1
    assert result.stdout.count("WRONG: it is an HTML page") == 4
