"""Small files in the published formats of every set that is downloaded, and the samples read from them."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from normbench.data import SOURCES
from normbench.data.dataset import Dataset
from normbench.data.source import PublishedSource
from normbench.data.sources.cifar import IMAGE_BYTES, LAYOUTS
from normbench.data.sources.idx_images import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS
from normbench.data.sources.wikitext import ARCHIVE, TEST, TRAINING
from tests.published import stand_in

TRAINING_IMAGES = TEST_SAMPLES = 20  # as many, so that JAX compiles one program for the outputs of both


def _bytes(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(1, 256, size=shape, dtype=np.uint8)


def _write_idx(folder: Path, rng: np.random.Generator) -> None:
    for images, labels, samples in (
        (TRAIN_IMAGES, TRAIN_LABELS, TRAINING_IMAGES),
        (TEST_IMAGES, TEST_LABELS, TEST_SAMPLES),
    ):
        for name, array in ((images, _bytes(rng, samples, 28, 28)), (labels, _bytes(rng, samples) % 10)):
            sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
            (folder / f"{name}.gz").write_bytes(gzip.compress(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()))


def _write_cifar(folder: Path, rng: np.random.Generator, *, name: str) -> None:
    layout = LAYOUTS[name]
    members = {layout.names: "\n".join(f"class_{k}" for k in range(layout.classes)).encode()}
    for member in (*layout.training, *layout.test):
        samples = TRAINING_IMAGES // len(layout.training) if member in layout.training else TEST_SAMPLES
        labels = rng.integers(layout.classes, size=(samples, layout.label_bytes), dtype=np.uint8)
        members[member] = np.concatenate([labels, _bytes(rng, samples, IMAGE_BYTES)], axis=1).tobytes()
    with tarfile.open(folder / layout.archive, "w:gz") as archive:
        for member, content in members.items():
            entry = tarfile.TarInfo(member)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def _write_wikitext(folder: Path, rng: np.random.Generator) -> None:
    words = np.array(["the", "lobster", "is", "blue", "and", "large", "<unk>", ",", "."])
    with zipfile.ZipFile(folder / ARCHIVE.name, "w") as archive:
        for member, lines in ((TRAINING, 60), (TEST, 30)):
            text = "\n".join(" ".join(rng.choice(words, size=12)) for _ in range(lines))
            archive.writestr(member, f" {text} \n")


WRITERS: dict[str, Callable[[Path, np.random.Generator], None]] = {
    "mnist": _write_idx,
    "fashion-mnist": _write_idx,
    "cifar-10": partial(_write_cifar, name="cifar-10"),
    "cifar-100": partial(_write_cifar, name="cifar-100"),
    "wikitext-2": _write_wikitext,
}


def small_source(name: str, folder: Path) -> PublishedSource:
    """The source with the checksums of the small files that are written into the folder."""
    WRITERS[name](folder, np.random.default_rng(7))
    source = SOURCES[name]
    assert isinstance(source, PublishedSource)
    return stand_in(source, folder)


def small_dataset(name: str, folder: Path) -> Dataset:
    """Its samples, by the way of a user who has the files in a folder."""
    return small_source(name, folder).load(folder)
