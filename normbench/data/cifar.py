"""CIFAR-10 and CIFAR-100: 32 x 32 colour images, from the binary versions of the published archives.

SHA-256 as recorded by TensorFlow Datasets (url_checksums/cifar10.txt and cifar100.txt), and the same in other public
loaders; the page of the data publishes MD5: c32a1d4ab5d03f1284b67883e8d87530 and 03b5dce01913d631647c71ecec9e9cb8.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from normbench.data.archives import read_tar
from normbench.data.dataset import Dataset
from normbench.data.files import RemoteFile
from normbench.data.images import image_dataset
from normbench.data.source import FileSet, PublishedSource, SourceInfo
from normbench.errors import DataError

PAGE = "https://www.cs.toronto.edu/~kriz"
IMAGE_SHAPE = (3, 32, 32)  # red, green, blue; rows from the top
IMAGE_BYTES = 3 * 32 * 32


@dataclass(frozen=True)
class Layout:
    """Where an archive keeps what.

    Attributes
    ----------
    archive : str
        File name.
    training, test : tuple of str
        Members with images.
    names : str
        Member with the names of the classes, one per line.
    label_bytes : int
        Bytes before the pixels of a record; the last of them is the label that counts.
    classes : int
    """

    archive: str
    training: tuple[str, ...]
    test: tuple[str, ...]
    names: str
    label_bytes: int
    classes: int


LAYOUTS = {
    "cifar-10": Layout(
        archive="cifar-10-binary.tar.gz",
        training=tuple(f"cifar-10-batches-bin/data_batch_{batch}.bin" for batch in range(1, 6)),
        test=("cifar-10-batches-bin/test_batch.bin",),
        names="cifar-10-batches-bin/batches.meta.txt",
        label_bytes=1,
        classes=10,
    ),
    "cifar-100": Layout(
        archive="cifar-100-binary.tar.gz",
        training=("cifar-100-binary/train.bin",),
        test=("cifar-100-binary/test.bin",),
        names="cifar-100-binary/fine_label_names.txt",
        label_bytes=2,  # one of the 20 coarse labels, then one of the 100 fine ones
        classes=100,
    ),
}


def read_archive(folder: Path, *, name: str) -> Dataset:
    """Training and test images of an archive, which is read without unpacking it to disk.

    Parameters
    ----------
    folder : Path
        Holds the archive.
    name : str
        Key of :data:`LAYOUTS`.

    Returns
    -------
    Dataset
        Inputs (samples, 3, 32, 32) in float32, training samples first; CIFAR-100 with its 100 fine classes.

    Raises
    ------
    DataError
        If the archive is damaged, lacks a member, or a member is not a whole number of records.
    """
    layout = LAYOUTS[name]
    path = folder / layout.archive
    members = read_tar(path, (*layout.training, *layout.test, layout.names))
    training, test = (
        np.concatenate([_records(path, member, members[member], layout) for member in part])
        for part in (layout.training, layout.test)
    )
    records = np.concatenate([training, test])
    return image_dataset(
        name,
        records[:, layout.label_bytes :].reshape(-1, *IMAGE_SHAPE),
        records[:, layout.label_bytes - 1],
        classes=_class_names(path, members[layout.names], layout),
        brightest=255,
        dtype=np.float32,
        training=len(training),
    )


def _records(path: Path, member: str, content: bytes, layout: Layout) -> np.ndarray:
    """Rows of labels and pixels, uint8."""
    size = layout.label_bytes + IMAGE_BYTES
    if len(content) == 0 or len(content) % size:
        raise DataError(
            f"{path}: member {member} has {len(content)} bytes; expected a multiple of {size}, the size of a labelled "
            f"image. Delete the archive and download it again."
        )
    return np.frombuffer(content, np.uint8).reshape(-1, size)


def _class_names(path: Path, content: bytes, layout: Layout) -> tuple[str, ...]:
    names = tuple(content.decode("ascii", errors="replace").split())
    if len(names) != layout.classes:
        raise DataError(f"{path}: member {layout.names} has {len(names)} names; expected {layout.classes}.")
    return names


def _source(name: str, sha256: str, description: str) -> PublishedSource:
    layout = LAYOUTS[name]
    file = RemoteFile(layout.archive, f"{PAGE}/{layout.archive}", "sha256", sha256)
    info = SourceInfo(
        name=name,
        simulated=False,
        description=description,
        terms="Published without a licence; its page asks for the citation. Downloaded, not redistributed here.",
        url=f"{PAGE}/cifar.html",
        citation="Krizhevsky, Learning multiple layers of features from tiny images, technical report, University of "
        "Toronto, 2009.",
        samples=60_000,
        shape=IMAGE_SHAPE,
        test_samples=10_000,
        classes=layout.classes,
        splits=("random", "official"),
        files=(file,),
    )
    return PublishedSource(info, (FileSet((file,), partial(read_archive, name=name)),))


CIFAR_10_SOURCE = _source(
    "cifar-10",
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    "Photographs: 60,000 colour images of 32 x 32 pixels in 10 classes of animals and vehicles.",
)
CIFAR_100_SOURCE = _source(
    "cifar-100",
    "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
    "Photographs: 60,000 colour images of 32 x 32 pixels in 100 fine classes.",
)
