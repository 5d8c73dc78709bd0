"""ImageNet in a folder of the user's: one a class below ``train`` and ``val``, as torchvision's ``ImageFolder``."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from normbench.data.dataset import Dataset
from normbench.data.files import FileCheck
from normbench.data.search import folders
from normbench.data.source import DATA_VARIABLE, SourceInfo
from normbench.data.streamed import StreamedImages, decoded
from normbench.errors import DataError, argument
from normbench.paths import path_from

TRAINING, TEST = "train", "val"
# those of torchvision.datasets.folder
EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
SIDE = 224
_LAYOUT = f"{TRAINING}/CLASS/*.JPEG and {TEST}/CLASS/*.JPEG"


@dataclass(frozen=True)
class ImageFolder:
    """Images that the user has: their licence lets nobody hand them on, so nothing is downloaded.

    Attributes
    ----------
    info : SourceInfo
    side : int
        Of the crops that are learned from.
    """

    info: SourceInfo
    side: int = SIDE

    def load(self, data_dir: Path | None) -> Dataset:
        """Names and classes of the images in the named folder, or in NORMBENCH_DATA; none of them is opened.

        Raises
        ------
        DataError
            If there is no such folder, a class has no image, or ``train`` and ``val`` have different classes.
        """
        root = self._root(data_dir)
        classes = {part: _classes(root / part) for part in (TRAINING, TEST)}
        if classes[TRAINING] != classes[TEST]:
            apart = sorted(set(classes[TRAINING]) ^ set(classes[TEST]))
            raise DataError(
                f"{root / TRAINING} and {root / TEST} have different classes: {len(apart)} are in one alone, such as "
                f"{apart[0]!r}. Give both the same folders."
            )
        found = [
            (file, label, part == TEST)
            for part, names in classes.items()
            for label, name in enumerate(names)
            for file in _images(root, f"{part}/{name}")
        ]
        files, labels, official = zip(*found, strict=True)
        return Dataset(
            name=self.info.name,
            simulated=False,
            inputs=StreamedImages(root, np.array(files), self.side),  # type: ignore[arg-type]  # it stands for an array
            outputs=np.array(labels, np.int64),
            classes=classes[TRAINING],
            official=np.array(official),
        )

    def fetch(self) -> list[Path]:
        """Refused: only who has agreed to the terms may download the images."""
        raise DataError(self._remedy("cannot be downloaded by a program"))

    def verify(self, data_dir: Path | None) -> list[FileCheck]:
        """Decode every image: a row for each that is damaged, and one for the folder with its own checksum.

        Nobody publishes a checksum of the unpacked images, so that the folder's has nothing to be held against.
        """
        images = self.load(data_dir).inputs
        assert isinstance(images, StreamedImages)
        rows = [FileCheck(images.folder, "sha256", images.sha256, images.sha256)]
        for file in images.files:
            try:
                decoded(images.folder / file)
            except DataError as error:
                rows.append(FileCheck(images.folder / file, "decoded", "an image", "", str(error)))
        return rows

    def is_present(self) -> bool:
        """True if NORMBENCH_DATA holds both folders; no image is looked at."""
        named = path_from(DATA_VARIABLE)
        return named is not None and _below(named, self.info.name) is not None

    def _root(self, data_dir: Path | None) -> Path:
        named = data_dir or path_from(DATA_VARIABLE)
        if named is None:
            raise DataError(self._remedy("is in no folder that was named"))
        found = _below(named, self.info.name)
        if found is None:
            raise DataError(self._remedy(f"is not in {named}"))
        return found

    def _remedy(self, what: str) -> str:
        return (
            f"data set {self.info.name!r} {what}. Get it from {self.info.url}, unpack it to {_LAYOUT}, and name the "
            f"folder above both with {argument('data_dir')} or {DATA_VARIABLE}."
        )


def _below(root: Path, name: str) -> Path | None:
    return next((folder for folder in folders(root, name, ()) if _is_whole(folder)), None)


def _is_whole(folder: Path) -> bool:
    return all((folder / part).is_dir() for part in (TRAINING, TEST))


def _classes(folder: Path) -> tuple[str, ...]:
    names = tuple(sorted(entry.name for entry in os.scandir(folder) if entry.is_dir()))
    if not names:
        raise DataError(f"{folder} has no sub-folders, one of which is a class. Unpack the images to {_LAYOUT}.")
    return names


def _images(root: Path, folder: str) -> Iterator[str]:
    """Files of one class below the root, in the order in which torchvision has them."""
    found = False
    for place, _, names in sorted(os.walk(root / folder, followlinks=True)):
        for name in sorted(names):
            if name.lower().endswith(EXTENSIONS):
                found = True
                yield (Path(place) / name).relative_to(root).as_posix()
    if not found:
        raise DataError(
            f"{root / folder} has no image ({', '.join(EXTENSIONS)}). Unpack its class, or remove the folder."
        )


IMAGENET_SOURCE = ImageFolder(
    SourceInfo(
        name="imagenet",
        description="Photographs: the 1,331,167 images of ILSVRC2012 in 1,000 classes, cropped to 224 x 224 pixels.",
        terms="For non-commercial research and education, to who has agreed to the terms of image-net.org.",
        url="https://www.image-net.org/challenges/LSVRC/2012/",
        citation="Russakovsky et al., ImageNet large scale visual recognition challenge, International Journal of "
        "Computer Vision, 2015, arXiv 1409.0575.",
        samples=1_331_167,
        shape=(3, SIDE, SIDE),
        test_samples=50_000,
        classes=1000,
        splits=("random", "official"),
        layout=_LAYOUT,
    )
)
