"""CIFAR-10 and CIFAR-100: 32 x 32 colour images, from the binary or the Python versions of the published archives.

SHA-256 of the binary archives as recorded by TensorFlow Datasets (url_checksums/cifar10.txt and cifar100.txt), and the
same in other public loaders; the page of the data publishes MD5, which is what is known of the Python archives.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from normbench.data.cifar_python import read_batches
from normbench.data.contents import CONTENTS
from normbench.data.dataset import Dataset
from normbench.data.files import RemoteFile
from normbench.data.images import image_dataset
from normbench.data.source import FileSet, PublishedSource, SourceInfo
from normbench.errors import DataError

PAGE = "https://www.cs.toronto.edu/~kriz"
IMAGE_SHAPE = (3, 32, 32)  # red, green, blue; rows from the top
IMAGE_BYTES = 3 * 32 * 32
TRAINING = 50_000


@dataclass(frozen=True)
class Layout:
    """Where an archive keeps what."""

    archive: str
    training: tuple[str, ...]  # members with images
    test: tuple[str, ...]
    names: str  # member with the names of the classes, one per line
    label_bytes: int  # before the pixels of a record; the last of them is the label that counts
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


def read_binary(contents: Mapping[str, bytes], *, name: str) -> Dataset:
    """Training and test images of the binary version.

    Parameters
    ----------
    contents : mapping of str to bytes
        The files of the archive by name.
    name : str
        Key of :data:`LAYOUTS`.

    Returns
    -------
    Dataset
        Inputs (samples, 3, 32, 32) in float32, training samples first; CIFAR-100 with its 100 fine classes.

    Raises
    ------
    DataError
        If a file is not a whole number of records, or a label or the list of classes is wrong.
    """
    layout = LAYOUTS[name]
    training, test = (
        np.concatenate([_records(member, contents[member], layout) for member in part])
        for part in (layout.training, layout.test)
    )
    records = np.concatenate([training, test])
    return image_dataset(
        name,
        records[:, layout.label_bytes :].reshape(-1, *IMAGE_SHAPE),
        records[:, layout.label_bytes - 1],
        classes=_class_names(contents[layout.names], layout),
        brightest=255,
        dtype=np.float32,
        training=len(training),
    )


def read_python(contents: Mapping[str, bytes], *, name: str) -> Dataset:
    """Training and test images of the Python version; parameters, result and errors as :func:`read_binary`."""
    in_order = {content.name: contents[content.name] for content in CONTENTS[f"{name} for Python"]}
    images, labels, classes = read_batches(in_order)
    return image_dataset(
        name,
        images.reshape(-1, *IMAGE_SHAPE),
        labels,
        classes=classes,
        brightest=255,
        dtype=np.float32,
        training=TRAINING,
    )


def _records(member: str, content: bytes, layout: Layout) -> np.ndarray:
    """Rows of labels and pixels, uint8."""
    size = layout.label_bytes + IMAGE_BYTES
    if len(content) == 0 or len(content) % size:
        raise DataError(
            f"{member} has {len(content)} bytes; expected a multiple of {size}, the size of a labelled image. Delete "
            f"the archive and download it again."
        )
    return np.frombuffer(content, np.uint8).reshape(-1, size)


def _class_names(content: bytes, layout: Layout) -> tuple[str, ...]:
    names = tuple(content.decode("ascii", errors="replace").split())
    if len(names) != layout.classes:
        raise DataError(f"{layout.names} has {len(names)} names; expected {layout.classes}.")
    return names


def _source(name: str, sha256: str, size: int, python_md5: str, python_size: int, description: str) -> PublishedSource:
    layout = LAYOUTS[name]
    file = RemoteFile(layout.archive, f"{PAGE}/{layout.archive}", "sha256", sha256, size, CONTENTS[name])
    python_name = f"{name}-python.tar.gz"
    python = RemoteFile(
        python_name, f"{PAGE}/{python_name}", "md5", python_md5, python_size, CONTENTS[f"{name} for Python"]
    )
    info = SourceInfo(
        name=name,
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
    file_sets = (
        FileSet((file,), partial(read_binary, name=name), (file.contents[0].folder,)),
        FileSet((python,), partial(read_python, name=name), (python.contents[0].folder,)),
    )
    return PublishedSource(info, file_sets)


CIFAR_10_SOURCE = _source(
    "cifar-10",
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    170_052_171,
    "c58f30108f718f92721af3b95e74349a",
    170_498_071,
    "Photographs: 60,000 colour images of 32 x 32 pixels in 10 classes of animals and vehicles.",
)
CIFAR_100_SOURCE = _source(
    "cifar-100",
    "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
    168_513_733,
    "eb9058c3a382ffc7106e4002c42a8d85",
    169_001_437,
    "Photographs: 60,000 colour images of 32 x 32 pixels in 100 fine classes.",
)
