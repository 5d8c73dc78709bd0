"""Learning curves of the ways: training RMS over what it cost, mean and spread over seeds, thinned for the page."""

from typing import Any

import numpy as np
import pandas as pd

from normbench.analysis.runs import COSTS, cost_curve, train_rms_curve
from normbench.backends.trajectory import Status
from normbench.presentation.compact import significant
from normbench.presentation.page.ways import Section
from normbench.records.schema import Record

_POINTS = 90  # per curve, spread evenly over the logarithm of the iteration


def learning_curves(section: Section) -> list[dict[str, Any]]:
    """One entry per way: its names, and equally long lists of each cost and of mean, low and high RMS.

    The spread is one sample standard deviation over seeds to either side. A stalled run keeps its last weights and
    thereby its last RMS; a diverged or failed run has none and is left out.
    """
    curves = ((way, [(run, train_rms_curve(run)) for run in way.runs]) for way in section.ways)
    drawn = ((way, [(run, curve) for run, curve in found if len(curve) > 1]) for way, found in curves)
    return [way.names() | _curve(found) for way, found in drawn if found]


def _curve(runs: list[tuple[Record, np.ndarray]]) -> dict[str, list[float | int | None]]:
    chosen = thinned(max(len(curve) for _, curve in runs) - 1)
    rms = pd.DataFrame([_at(curve, chosen, hold=run.outcome.status == Status.STALLED) for run, curve in runs])
    costs = {
        name: pd.DataFrame([_at(cost_curve(run, name), chosen, hold=True) for run, _ in runs]).mean() for name in COSTS
    }
    mean, sd = rms.mean(), rms.std().fillna(0.0)  # one run has no spread
    columns = costs | {"mean": mean, "low": mean - sd, "high": mean + sd}
    return {name: [significant(float(v), 5) for v in values] for name, values in columns.items()}


def thinned(last: int) -> np.ndarray:
    """Iterations 1 to ``last``, at most 90 of them, dense at the start, as the logarithmic axis shows them."""
    return np.unique(np.geomspace(1, last, _POINTS).round().astype(int))


def _at(values: np.ndarray, chosen: np.ndarray, *, hold: bool) -> np.ndarray:
    """Values at the chosen iterations; past the end the last one or NaN."""
    found = values[np.minimum(chosen, len(values) - 1)]
    return found if hold else np.where(chosen < len(values), found, np.nan)
