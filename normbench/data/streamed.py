"""Images in files that are read when they are asked for: a batch is in memory, never the set.

What happens to a file is what the published code of arXiv 2304.05187 and 2002.03432 has torchvision do with ImageNet.
To learn from it: ``RandomResizedCrop`` at its defaults, an area of 8 to 100 % at a ratio of 3:4 to 4:3, and a mirror
image with probability 1/2. To be judged by it, or to learn from it as it is: ``Resize`` and ``CenterCrop``. Then the
channels are normalised, and a problem scales every image to its own norm.
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from normbench.errors import DataError, install
from normbench.machine import threads_per_run

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of the channels of ImageNet, as everybody has them
SHORT_OVER_CROP = 256 / 224
LEAST_AREA, WIDEST = 0.08, 4 / 3
TRIALS = 10  # rectangles that are drawn before the one in the middle is taken
TAIL_BYTES = 4096


class Cut(NamedTuple):
    """What is drawn for one image, all of it uniform in [0, 1)."""

    areas: np.ndarray  # one for every trial
    ratios: np.ndarray
    top: float
    left: float
    mirrored: float


@dataclass(frozen=True, eq=False)
class StreamedImages:
    """Images of one size made of files, which stand where an array (samples, 3, side, side) would.

    ``images[rows]`` is that array of some of them, float32; no other arithmetic is there.

    Attributes
    ----------
    folder : Path
    files : array of str, shape (samples,)
        Below the folder, with "/" between names.
    side : int
        Of the crops.
    norm : float or None
        What every image is scaled to; None for images whose channels are normalised and no more.
    """

    folder: Path
    files: np.ndarray
    side: int
    norm: float | None = None

    dtype = np.dtype(np.float32)
    ndim = 4

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(samples, 3, side, side)."""
        return (len(self.files), 3, self.side, self.side)

    def __len__(self) -> int:
        """Samples."""
        return len(self.files)

    def take(self, rows: np.ndarray) -> "StreamedImages":
        """Some of the images; nothing is read."""
        return replace(self, files=self.files[rows])

    def scaled(self, norm: float) -> "StreamedImages":
        """Each of the images with this norm; nothing is read."""
        return replace(self, norm=norm)

    def __getitem__(self, rows: np.ndarray | slice) -> np.ndarray:
        """Crops of the middle, shape (some, 3, side, side), float32.

        Raises
        ------
        DataError
            If a file is no image, or is damaged.
        """
        return self._read((file, lambda image: centre(image, self.side)) for file in self.files[rows])

    def crop_flip(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Random crops, half of them mirrored; else as ``images[rows]``.

        All that may be needed is drawn before a file is opened, so that an image sees the same whatever the others are.
        """
        files = self.files[rows]
        trials, rest = rng.random((len(files), 2, TRIALS)), rng.random((len(files), 3))
        cuts = [Cut(*of_trials, *others) for of_trials, others in zip(trials, rest.tolist(), strict=True)]
        return self._read((file, _cutter(cut, self.side)) for file, cut in zip(files, cuts, strict=True))

    def _read(self, wanted: Iterable[tuple[str, Callable[[Any], Any]]]) -> np.ndarray:
        """Decoded by as many threads as a run has; Pillow lets others run meanwhile."""
        with ThreadPoolExecutor(threads_per_run()) as pool:
            found = list(pool.map(lambda each: self._pixels(*each), wanted))
        return np.stack(found) if found else np.zeros((0, *self.shape[1:]), self.dtype)

    def _pixels(self, file: str, cut: Callable[[Any], Any]) -> np.ndarray:
        pixels = np.asarray(cut(decoded(self.folder / file)), np.float32).transpose(2, 0, 1) / np.float32(255)
        pixels -= np.array(MEAN, np.float32)[:, None, None]
        pixels /= np.array(DEVIATION, np.float32)[:, None, None]
        if self.norm is None:
            return pixels
        own = float(np.linalg.norm(pixels))
        if own == 0.0:
            raise DataError(f"{self.folder / file} is an image of zero norm; x / ||x|| is undefined. Remove it.")
        return pixels * np.float32(self.norm / own)

    @cached_property
    def sha256(self) -> str:
        """Over side, names, sizes and the last 4,096 bytes of all files, as hexadecimal digits.

        It tells files that came, went, were renamed, cut off or encoded anew, at the cost of one short read each. A
        change within a file that leaves its size and its end is not seen: to hash 150 GB takes longer than many runs.
        """
        digest = hashlib.sha256(f"{self.side}\0".encode())
        for file, size, tail in self._ends():
            digest.update(f"{file}\0{size}\0".encode() + tail)
        return digest.hexdigest()

    def _ends(self) -> Iterator[tuple[str, int, bytes]]:
        for file in self.files:
            path = self.folder / file
            try:
                with path.open("rb") as stream:
                    size = stream.seek(0, 2)
                    stream.seek(max(0, size - TAIL_BYTES))
                    yield file, size, stream.read()
            except OSError as error:
                raise DataError(f"{path} cannot be read: {error.strerror}. Restore it.") from error


def decoded(path: Path) -> Any:
    """The image in a file, of Pillow's class, in three channels.

    Raises
    ------
    DataError
        If the file holds none, or half of one; or Pillow is missing.
    """
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise DataError(f"reading images needs Pillow: {install('images')}") from error
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{path} is no image that can be read: {error}. Replace it by the published file, or remove it."
        ) from error


def centre(image: Any, side: int) -> Any:
    """The shorter side made 256 / 224 times the crop, then the middle: ``Resize(256)`` and ``CenterCrop(224)``."""
    from PIL import Image

    short = round(side * SHORT_OVER_CROP)
    width, height = image.size
    longer = int(short * max(width, height) / min(width, height))
    size = (short, longer) if width <= height else (longer, short)
    left, top = (round((length - side) / 2) for length in size)
    return image.resize(size, Image.Resampling.BILINEAR).crop((left, top, left + side, top + side))


def _cutter(cut: Cut, side: int) -> Callable[[Any], Any]:
    def make(image: Any) -> Any:
        from PIL import Image

        left, top, width, height = rectangle(cut, *image.size)
        found = image.crop((left, top, left + width, top + height)).resize((side, side), Image.Resampling.BILINEAR)
        return found.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if cut.mirrored < 0.5 else found

    return make


def rectangle(cut: Cut, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, width and height of what is cut out of an image of this size.

    The first trial that fits; where none does, the middle, cut to the nearest ratio that is allowed.
    """
    for area, ratio in zip(cut.areas, cut.ratios, strict=True):
        pixels = width * height * (LEAST_AREA + (1 - LEAST_AREA) * area)
        shape = math.exp(math.log(WIDEST) * (2 * ratio - 1))
        wide, high = round(math.sqrt(pixels * shape)), round(math.sqrt(pixels / shape))
        if 0 < wide <= width and 0 < high <= height:
            return int(cut.left * (width - wide + 1)), int(cut.top * (height - high + 1)), wide, high
    wide, high = min(width, round(height * WIDEST)), min(height, round(width * WIDEST))
    return (width - wide) // 2, (height - high) // 2, wide, high
