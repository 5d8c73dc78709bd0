"""Looks of the page: colours as CSS, which follow it from light to dark, and a dash and a shape per backend.

No chart leans on colour alone: rows are named, lines answer to the legend and to the pointer.
"""

from collections.abc import Iterable

from normbench.backends import Backend, get
from normbench.presentation.palette import series

BACKGROUNDS = ("#ffffff", "#15181d")  # of the charts, light and dark

_MARKS = {  # shapes of backends as paths, for the legend that the page draws itself
    "circle": "M21 6a4 4 0 1 1-8 0a4 4 0 1 1 8 0",
    "diamond": "M17 1L21.5 6L17 11L12.5 6Z",
    "triangle-up": "M17 1.5L21.5 10H12.5Z",
    "triangle-down": "M17 10.5L21.5 2H12.5Z",
    "square": "M13 2H21V10H13Z",
    "cross": "M15.5 1.5H18.5V4.5H21.5V7.5H18.5V10.5H15.5V7.5H12.5V4.5H15.5Z",
}


def backend_of(where: str) -> Backend:
    """The backend that a label such as ``jax cuda float64`` begins with."""
    return get(where.split()[0])


def backend_keys(labels: Iterable[str]) -> dict[str, dict[str, str]]:
    """Dash and mark of every backend, as attributes of SVG paths."""
    return {name: _key(backend_of(name)) for name in labels}


def _key(backend: Backend) -> dict[str, str]:
    return {"dash": " ".join(map(str, backend.dash)), "mark": _MARKS[backend.shape]}


def variable(optimiser: str) -> str:
    """CSS colour of an optimiser, which follows the page from light to dark."""
    return f"var(--series-{optimiser.replace('_', '-')})"


def declarations(optimisers: Iterable[str]) -> str:
    """CSS custom properties of the optimisers, in the order of the registry."""
    return "".join(
        f"{variable(name)[4:-1]}:light-dark({light},{dark});" for name, (light, dark) in series(optimisers).items()
    )
