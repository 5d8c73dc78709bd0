"""The fixed signal that tells a transformer where a token stands (arXiv 1706.03762, section 3.5)."""

import numpy as np


def sinusoids(length: int, width: int) -> np.ndarray:
    """Entry (t, 2i) is sin(t / 10000^(2i / width)), entry (t, 2i + 1) the cosine; shape (length, width), float64."""
    even = np.arange(0, width, 2)
    phase = np.arange(length)[:, None] / 10000.0 ** (even / width)
    table = np.empty((length, width))
    table[:, 0::2] = np.sin(phase)
    table[:, 1::2] = np.cos(phase[:, : width // 2])
    return table
