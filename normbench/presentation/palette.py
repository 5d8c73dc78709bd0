"""Looks that print and page share: colours of the optimisers, light and dark, and a mark for the shape of each backend.

The page names its colours as CSS, which follows it from light to dark; print has the light ones.

The hues of methods and baselines are Okabe and Ito's, the set made for colour-blind readers, darkened or lightened
until each has a contrast of 3 to 1 with its background; the peers lie between them. No picture leans on colour alone.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from zlib import crc32

from normbench.backends import Backend
from normbench.specs import SPECS

BACKGROUNDS = ("#ffffff", "#15181d")  # of the charts, light and dark

_MARKS = {  # shapes of backends as paths, for the legend that the page draws itself
    "circle": "M21 6a4 4 0 1 1-8 0a4 4 0 1 1 8 0",
    "diamond": "M17 1L21.5 6L17 11L12.5 6Z",
    "triangle-up": "M17 1.5L21.5 10H12.5Z",
    "triangle-down": "M17 10.5L21.5 2H12.5Z",
    "square": "M13 2H21V10H13Z",
    "cross": "M15.5 1.5H18.5V4.5H21.5V7.5H18.5V10.5H15.5V7.5H12.5V4.5H15.5Z",
}

_SERIES = {  # light, dark
    "method1": ("#0072b2", "#56b4e9"),
    "method2": ("#d55e00", "#ff8a3c"),
    "method2_exp": ("#8f6a00", "#f0e442"),
    "geodesic_lbfgs": ("#5b2be0", "#a48bff"),
    "online_lbfgs": ("#2d5bff", "#86a5ff"),
    "polar_average": ("#8c4a00", "#ffb366"),
    "fromage": ("#00805e", "#2ecc9b"),
    "lars": ("#b5478a", "#e8a3cb"),
    "agd": ("#6a3fa0", "#b497f2"),
    "fgsgd": ("#264653", "#7fb7c9"),
    "adam": ("#1f1f1f", "#f4f4f4"),
    "sgd": ("#767676", "#9c9c9c"),
    "sgd_momentum": ("#8a4b21", "#d3a077"),
    "lbfgs": ("#00798c", "#4fd1e0"),
    "muon": ("#a4133c", "#ff7f93"),
    "prodigy": ("#4d7300", "#a8d94a"),
    "dadapt_adamw": ("#3a4fa3", "#93a6ff"),
    "dog": ("#7d5a50", "#c9aea5"),
    "momo": ("#c2185b", "#ff6fae"),
    "schedule_free": ("#4b6a7a", "#9fc0d0"),
    "scion": ("#2f7d32", "#7fd17f"),
    "muon_cap": ("#d1357f", "#ff8fc0"),
    "adam_clip": ("#0b5f5f", "#5fc9c0"),
    "muonh": ("#5a6600", "#c3d13d"),
    "adamh": ("#4f5d75", "#aab6cc"),
    "riemannian_cg": ("#1f7a8c", "#63c7da"),
    "riemannian_tr": ("#8a2f5a", "#e58fb8"),
    "levenberg_marquardt": ("#7a1f1f", "#e39a8a"),
}
_SPARE = (("#5b5b9a", "#aaaaee"), ("#6b6b3a", "#c8c88a"), ("#9a5b5b", "#eeaaaa"), ("#3a6b5b", "#8ac8b4"))


def series(optimisers: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Light and dark colour of each optimiser, in the order of the registry; one not listed here gets a spare.

    Those of other packages come last, in the order of their names; the name alone chooses among the spares.
    """
    wanted = set(optimisers)
    spare = (_SPARE[k % len(_SPARE)] for k in range(len(SPECS)))
    colours = {name: _SERIES[name] if name in _SERIES else next(spare) for name in SPECS}
    foreign = {name: _SPARE[crc32(name.encode()) % len(_SPARE)] for name in sorted(wanted - colours.keys())}
    return {name: pair for name, pair in (colours | foreign).items() if name in wanted}


def backend_keys(backends: Mapping[str, Backend]) -> dict[str, dict[str, str]]:
    """Dash and mark of the backend behind every label, as attributes of SVG paths."""
    return {
        label: {"dash": " ".join(map(str, backend.dash)), "mark": _MARKS[backend.shape]}
        for label, backend in backends.items()
    }


def variable(optimiser: str) -> str:
    """CSS colour of an optimiser, which follows the page from light to dark."""
    return f"var(--series-{_css_name(optimiser)})"


def _css_name(optimiser: str) -> str:
    """The name as part of one in CSS; that of another package, whose characters are anybody's, by its colour."""
    if optimiser in SPECS:
        return optimiser.replace("_", "-")
    return f"spare-{_SPARE.index(series([optimiser])[optimiser])}"


def declarations(optimisers: Iterable[str]) -> str:
    """CSS custom properties of the optimisers, in the order of the registry."""
    colours = {variable(name)[4:-1]: pair for name, pair in series(optimisers).items()}
    return "".join(f"{name}:light-dark({light},{dark});" for name, (light, dark) in colours.items())


def ink(colour: str) -> str:
    """What a CSS colour of the page, ``var(--muted)`` or ``var(--series-adam)``, is in print: its light variant."""
    return _light()[colour.removeprefix("var(--").removesuffix(")")]


@cache
def _light() -> dict[str, str]:
    style = (files("normbench.presentation") / "page" / "static" / "page.css").read_text(encoding="utf-8")
    return dict(re.findall(r"--([\w-]+): ?light-dark\((#\w+),", style + declarations(SPECS) + _spares()))


def _spares() -> str:
    return "".join(f"--series-spare-{k}:light-dark({light},{dark});" for k, (light, dark) in enumerate(_SPARE))
