"""Handwritten digits of 8 x 8 pixels (UCI, as shipped with scikit-learn): measured images without a download."""

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from normbench.data.dataset import Dataset
from normbench.data.files import FileCheck
from normbench.data.images import image_dataset
from normbench.data.source import SourceInfo
from normbench.errors import DataError

NAME = "digits"
CLASSES = tuple("0123456789")
BRIGHTEST = 16  # on-pixels of a 4 x 4 block of the scanned bitmap
SHA256 = "a2d1bc805c6de478d670bca60e6b26debedb20c41713610841986d3998ae7fa7"  # Dataset.sha256


def read_digits() -> Dataset:
    """The 1,797 images, inputs (1797, 1, 8, 8) in float64, of scikit-learn's copy of the UCI test set.

    Returns
    -------
    Dataset
        The copy is one part only, so there is no official test set.
    """
    # as load_digits reads it, whose import takes two seconds
    *pixels, labels = np.loadtxt(_file(), delimiter=",", unpack=True, dtype=np.int64)
    images = np.stack(pixels, axis=1).astype(np.uint8).reshape(-1, 1, 8, 8)
    return image_dataset(NAME, images, labels, classes=CLASSES, brightest=BRIGHTEST, dtype=np.float64, training=None)


@dataclass(frozen=True)
class PackagedSource:
    """The digits within the installed scikit-learn."""

    info: SourceInfo

    def load(self, data_dir: Path | None) -> Dataset:
        """Samples; ``data_dir`` is of no use to what comes with a package and ignored."""
        dataset = read_digits()
        if dataset.sha256 != SHA256:
            raise DataError(
                f"the digits of the installed scikit-learn are not the known ones: expected sha256 {SHA256}, found "
                f"{dataset.sha256}. Install scikit-learn again."
            )
        return dataset

    def fetch(self) -> list[Path]:
        """The file within scikit-learn, its content checked; nothing is downloaded."""
        self.load(None)
        return [_file()]

    def verify(self, data_dir: Path | None) -> list[FileCheck]:
        """Compare the content hash of the samples with the known one."""
        return [FileCheck(_file(), "sha256", SHA256, read_digits().sha256)]

    def is_present(self) -> bool:
        """True if the file is there; it is not read."""
        return _file().is_file()


def _file() -> Path:
    return Path(str(metadata.distribution("scikit-learn").locate_file("sklearn/datasets/data/digits.csv.gz")))


SOURCE = PackagedSource(
    SourceInfo(
        name=NAME,
        description="Handwritten digits: 1,797 grey images of 8 x 8 pixels in 10 classes, embedded in scikit-learn.",
        terms="CC BY 4.0 (UCI Machine Learning Repository); shipped with scikit-learn.",
        url="https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
        citation="Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, "
        "1998, doi 10.24432/C50P49.",
        samples=1_797,
        shape=(1, 8, 8),
        classes=len(CLASSES),
        splits=("random",),
    )
)
