"""Colours of the optimisers: the same in print and on the page, in a light and a dark variant.

The hues of methods and baselines are Okabe and Ito's, the set made for colour-blind readers, darkened or lightened
until each has a contrast of 3 to 1 with its background; the peers lie between them. No picture leans on colour alone.
"""

from collections.abc import Iterable

from normbench.specs import SPECS

_SERIES = {  # light, dark
    "method1": ("#0072b2", "#56b4e9"),
    "method2": ("#d55e00", "#ff8a3c"),
    "method2_exp": ("#8f6a00", "#f0e442"),
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
}
_SPARE = (("#5b5b9a", "#aaaaee"), ("#6b6b3a", "#c8c88a"), ("#9a5b5b", "#eeaaaa"), ("#3a6b5b", "#8ac8b4"))


def series(optimisers: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Light and dark colour of each optimiser, in the order of the registry; one not listed here gets a spare."""
    wanted = set(optimisers)
    spare = (_SPARE[k % len(_SPARE)] for k in range(len(SPECS)))
    colours = {name: _SERIES[name] if name in _SERIES else next(spare) for name in SPECS}
    return {name: pair for name, pair in colours.items() if name in wanted}
