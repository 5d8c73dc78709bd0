"""MNIST and Fashion-MNIST: 28 x 28 grey images in 10 classes, in the IDX format of the MNIST page.

SHA-256 of the eight packed files as recorded by TensorFlow Datasets (url_checksums/mnist.txt and fashion_mnist.txt),
and the same in other public loaders; what decides is what they hold, see :mod:`normbench.data.contents`. Both sets use
the same file names: keep them in folders of their own, mnist/ and fashion-mnist/ (or torchvision's MNIST/raw and
FashionMNIST/raw).
"""

import math
from collections.abc import Mapping
from functools import partial

import numpy as np

from normbench.data.contents import CONTENTS
from normbench.data.dataset import Dataset
from normbench.data.files import RemoteFile
from normbench.data.images import image_dataset
from normbench.data.source import FileSet, PublishedSource, SourceInfo
from normbench.errors import DataError

MNIST = "mnist"
FASHION = "fashion-mnist"
# The mirror that TensorFlow Datasets reads; the original page no longer serves the files.
MNIST_FOLDER = "https://storage.googleapis.com/cvdf-datasets/mnist"
FASHION_FOLDER = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/b2617bb6d3ffa2e429640350f613e3291e10b141"
    "/data/fashion"
)
TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = (content.name for content in CONTENTS[MNIST])
PACKED = {  # size in bytes and SHA-256 of the packed files, in that order
    MNIST: (
        (9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        (28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        (1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        (4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    ),
    FASHION: (
        (26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        (29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        (4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        (5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    ),
}
FOLDERS = {MNIST: ("raw", "MNIST/raw", "MNIST"), FASHION: ("raw", "FashionMNIST/raw", "FashionMNIST")}
CLASSES = {
    MNIST: tuple("0123456789"),
    FASHION: (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ),
}  # fmt: skip

UNSIGNED_BYTES = 0x08  # the third byte of the magic number: type of the elements; the fourth: number of dimensions


def read_idx(name: str, content: bytes, *, dimensions: int) -> np.ndarray:
    """One IDX file of unsigned bytes.

    A magic number 0x0000 08 dd with dd dimensions, their sizes as big-endian 32-bit integers, then the elements
    with the last index running fastest.

    Parameters
    ----------
    name : str
        Of the file, for messages.
    content : bytes
    dimensions : int
        3 for images, 1 for labels.

    Returns
    -------
    array of uint8 with that many dimensions

    Raises
    ------
    DataError
        If the file holds something else or nothing, or is shorter or longer than its header says.
    """
    header = 4 * (1 + dimensions)
    magic = int.from_bytes(content[:4], "big")
    expected = UNSIGNED_BYTES << 8 | dimensions
    if len(content) < header or magic != expected:
        raise DataError(
            f"{name} is not an IDX file of unsigned bytes in {dimensions} dimension(s): magic number 0x{magic:08x} in "
            f"{len(content)} bytes; expected 0x{expected:08x}. Download it again."
        )
    shape = tuple(np.frombuffer(content, ">u4", dimensions, offset=4).tolist())
    if len(content) - header != math.prod(shape) or 0 in shape:
        raise DataError(
            f"{name} has {len(content) - header} bytes after its header; expected {math.prod(shape)} for {shape}. "
            f"Download it again."
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def read_images(contents: Mapping[str, bytes], *, name: str) -> Dataset:
    """Training and test images of the four files.

    Parameters
    ----------
    contents : mapping of str to bytes
        The four unpacked files by name.
    name : str
        ``"mnist"`` or ``"fashion-mnist"``.

    Returns
    -------
    Dataset
        Inputs (samples, 1, 28, 28) in float32, training samples first.

    Raises
    ------
    DataError
        As :func:`read_idx`, and if images and labels do not belong together.
    """
    images, labels = [], []
    for image_file, label_file in ((TRAIN_IMAGES, TRAIN_LABELS), (TEST_IMAGES, TEST_LABELS)):
        images.append(read_idx(image_file, contents[image_file], dimensions=3))
        labels.append(read_idx(label_file, contents[label_file], dimensions=1))
        if len(images[-1]) != len(labels[-1]):
            raise DataError(
                f"{name}: {len(images[-1])} images in {image_file}, but {len(labels[-1])} labels in {label_file}. "
                f"Download both again."
            )
    if images[0].shape[1:] != images[1].shape[1:]:
        raise DataError(
            f"{name}: training images of {images[0].shape[1:]} and test images of {images[1].shape[1:]} pixels."
        )
    return image_dataset(
        name,
        np.concatenate(images)[:, None],
        np.concatenate(labels),
        classes=CLASSES[name],
        brightest=255,
        dtype=np.float32,
        training=len(images[0]),
    )


def _source(name: str, folder: str, *, description: str, terms: str, url: str, citation: str) -> PublishedSource:
    files = tuple(
        RemoteFile(f"{content.name}.gz", f"{folder}/{content.name}.gz", "sha256", digest, size, (content,))
        for content, (size, digest) in zip(CONTENTS[name], PACKED[name], strict=True)
    )
    info = SourceInfo(
        name=name,
        description=description,
        terms=terms,
        url=url,
        citation=citation,
        samples=70_000,
        shape=(1, 28, 28),
        test_samples=10_000,
        classes=len(CLASSES[name]),
        splits=("random", "official"),
        files=files,
    )
    return PublishedSource(info, (FileSet(files, partial(read_images, name=name), FOLDERS[name], archives=(name,)),))


MNIST_SOURCE = _source(
    MNIST,
    MNIST_FOLDER,
    description="Handwritten digits: 70,000 grey images of 28 x 28 pixels in 10 classes.",
    terms="CC BY-SA 3.0, copyright Yann LeCun and Corinna Cortes; downloaded, not redistributed here.",
    url="http://yann.lecun.com/exdb/mnist/",
    citation="LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition, "
    "Proceedings of the IEEE 86 (11), 1998.",
)
FASHION_SOURCE = _source(
    FASHION,
    FASHION_FOLDER,
    description="Articles of clothing: 70,000 grey images of 28 x 28 pixels in 10 classes.",
    terms="MIT licence, copyright Zalando SE; downloaded, not redistributed here.",
    url="https://github.com/zalandoresearch/fashion-mnist",
    citation="Xiao, Rasul and Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking machine learning "
    "algorithms, arXiv 1708.07747.",
)
