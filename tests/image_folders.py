"""A folder of small JPEGs in the layout of ImageNet, and the samples in it at a size that two cores can learn from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from normbench.data.dataset import Dataset
from normbench.data.sources.image_folder import IMAGENET_SOURCE

SIDE = 32
CLASSES = ("n01440764", "n01443537", "n02102040")
SIZES = ((50, 40), (37, 61), (45, 45), (90, 34), (33, 48))  # width and height, in turn
TRAINING = TEST = 4  # of every class: as many, so that JAX compiles one program for both


def write_images(folder: Path, *, training: int = TRAINING, test: int = TEST) -> Path:
    """Smooth colours with some noise, of a colour that tells the class; the folder."""
    rng = np.random.default_rng(5)
    for part, number in (("train", training), ("val", test)):
        for label, name in enumerate(CLASSES):
            (folder / part / name).mkdir(parents=True)
            for index in range(number):
                width, height = SIZES[(index + label) % len(SIZES)]
                pixels = rng.integers(0, 120, (height, width, 3)) + np.linspace(0, 80, width)[None, :, None]
                pixels[:, :, label] += 50
                path = folder / part / name / f"{part}_{label}_{index}.JPEG"
                Image.fromarray(pixels.astype(np.uint8)).save(path, "JPEG", quality=92)
    return folder


def small_images(folder: Path) -> Dataset:
    """Its samples, cropped to 32 x 32."""
    return replace(IMAGENET_SOURCE, side=SIDE).load(folder)
