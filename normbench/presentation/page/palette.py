"""Looks of the page: colours as CSS, which follow it from light to dark, and a dash and a shape per backend.

No chart leans on colour alone: rows are named, lines answer to the legend and to the pointer.
"""

from collections.abc import Iterable

from normbench.presentation.palette import series

BACKGROUNDS = ("#ffffff", "#15181d")  # of the charts, light and dark

BACKEND_DASHES = {"torch": (1, 0), "jax": (6, 3), "reference": (2, 2)}
BACKEND_SHAPES = {"torch": "circle", "jax": "diamond", "reference": "triangle-up"}
_MARKS = {  # the same shapes as paths, for the legend that the page draws itself
    "circle": "M21 6a4 4 0 1 1-8 0a4 4 0 1 1 8 0",
    "diamond": "M17 1L21.5 6L17 11L12.5 6Z",
    "triangle-up": "M17 1.5L21.5 10H12.5Z",
}


def backend_keys(backends: Iterable[str]) -> dict[str, dict[str, str]]:
    """Dash and mark of every backend, as attributes of SVG paths."""
    return {name: _key(name.split()[0]) for name in backends}


def _key(backend: str) -> dict[str, str]:
    return {"dash": " ".join(map(str, BACKEND_DASHES[backend])), "mark": _MARKS[BACKEND_SHAPES[backend]]}


def variable(optimiser: str) -> str:
    """CSS colour of an optimiser, which follows the page from light to dark."""
    return f"var(--series-{optimiser.replace('_', '-')})"


def declarations(optimisers: Iterable[str]) -> str:
    """CSS custom properties of the optimisers, in the order of the registry."""
    return "".join(
        f"{variable(name)[4:-1]}:light-dark({light},{dark});" for name, (light, dark) in series(optimisers).items()
    )
