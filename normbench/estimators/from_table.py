"""A user's table to a certified network: rows held out, one fit, and what it is worth beside predictors without one."""

import math
import time
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from normbench.data.splits import BLOCK_SECONDS, TEST_SHARE, Split, block_ids, split_indices, units
from normbench.data.tables import Table
from normbench.errors import InvalidArgumentError, argument
from normbench.estimators.base import LipschitzEstimator
from normbench.estimators.classifier import LipschitzClassifier
from normbench.estimators.dead import DEAD, DeadNetworkWarning
from normbench.estimators.regressor import LipschitzRegressor
from normbench.estimators.samples import Samples, folded, mean
from normbench.networks import Loss
from normbench.numbers import as_number

NARROW, WIDE = 0.01, 2.0  # of the linear fit's gain: nothing is reached; times what is proven: nothing is bound
OVERFITTED, SLIGHT = 1.5, 0.02  # times what the linear fit loses on test rows; of the mean's error: as good as none


@dataclass(frozen=True)
class Score:
    """How well something predicts.

    Attributes
    ----------
    train, test : float
        RMS of the error, over all outputs together, in their unit; of classes the share that is right; both over rows
        that count as the table says. NaN for a part that has no rows.
    gain : float or None
        Its Lipschitz constant, in the unit of the bound; None where it has none to compare.
    """

    train: float
    test: float
    gain: float | None = None


@dataclass(frozen=True, eq=False)
class TableFit:
    """A network for a table.

    Attributes
    ----------
    model : LipschitzRegressor or LipschitzClassifier
    table : Table
    rule : str
        Of the split; "none" where all rows train.
    split : Split
    scores : dict of str to Score
        Of the network, and of linear, mean and zero; of classes linear and the most frequent.
    test_rms : tuple of float
        Of each output, over the test rows; empty for classes, and where there are none.
    radius : float or None
        Of classes the median distance within which the class of a test row is certified.
    seconds : float
        Of the fit and its proof.
    converged : bool
    dead : bool
        Whether its outputs are the same for every training row.
    remarks : tuple of str
        What a user should look at.
    """

    model: LipschitzEstimator
    table: Table
    rule: str
    split: Split
    scores: dict[str, Score]
    test_rms: tuple[float, ...]
    radius: float | None
    seconds: float
    converged: bool
    dead: bool = False
    remarks: tuple[str, ...] = ()

    @property
    def per(self) -> str:
        """The unit of the inputs that bounds are per."""
        return "standard deviation" if self.model.inputs == "standardised" else "unit of the inputs"

    @property
    def iterations(self) -> str:
        """What the model counts as such."""
        size = self.model.batch_size
        return "iterations" if size is None else f"passes in mini-batches of {size}"

    @property
    def provenance(self) -> dict[str, str]:
        """What is to be known of the network beside what its estimator says: where its outputs come from."""
        return {
            "table": self.table.name,
            "outputs": ", ".join(self.table.output_names),
            "unit": self.table.unit,
            "split": self.rule,
            "rows_held_out": str(len(self.split.test)),
            "weights": self.table.weight_name,
        }

    @property
    def over_inputs(self) -> float:
        """The bound that is proven over the inputs as they stand in the table."""
        return float(self.model.network_.over_inputs(self.model.lipschitz_bound_))


def fit_table(
    table: Table, *, rule: str | None = None, test_share: float = TEST_SHARE, seed: int = 0, **parameters: Any
) -> TableFit:
    """Hold rows out, train on the others, prove, and score.

    Parameters
    ----------
    table : Table
    rule : str, optional
        "random", "blocked" or "grouped"; None for the one that leaks least.
    test_share : float
        Of rows, blocks or groups that are held out; 0 trains on all.
    seed : int
        Of the split and of the initial weights.
    **parameters
        Of :class:`normbench.LipschitzRegressor`.

    Raises
    ------
    InvalidArgumentError
        If a parameter is out of range, or the table has no such split.
    DataError
        If the rows that are left to train on have nothing to learn in them.
    TrainingError
        If the loss did not stay finite.
    """
    rule, split = _split(table, rule, test_share, seed)
    kind = LipschitzClassifier if table.classes else LipschitzRegressor
    model = kind(**parameters, random_state=seed)
    x, y = _named(table, split.train), _targets(table, split.train)
    groups = _held_together(table, rule, split.train) if model.early_stopping else None
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(x, y, _weight(table, split.train), groups)
    seconds = time.perf_counter() - start
    model.verify()
    del x
    predicted = {part: _predicted(model, table, rows) for part, rows in _parts(split)}
    scores = {"network": _score(table, split, predicted, gain=model.lipschitz_bound_)} | _trivial(model, table, split)
    left = predicted.get("test")
    found = TableFit(
        model,
        table,
        rule,
        split,
        scores,
        () if table.classes or left is None else tuple(_rms(table, split.test, left).tolist()),
        float(np.median(model.certified_radius(_named(table, split.test))))
        if table.classes and len(split.test)
        else None,
        seconds,
        not any(warning.category is ConvergenceWarning for warning in caught),
        any(issubclass(warning.category, DeadNetworkWarning) for warning in caught),
    )
    return replace(found, remarks=tuple(_remarks(found)))


def _split(table: Table, rule: str | None, test_share: float, seed: int) -> tuple[str, Split]:
    share = as_number(test_share)
    if share is None or not 0.0 <= share < 1.0:
        raise InvalidArgumentError(f"{argument('test_share')} must be at least 0 and below 1; got {test_share!r}.")
    if share == 0.0:
        return "none", Split(np.arange(len(table.inputs)), np.arange(0))
    rule = rule or table.split
    return rule, split_indices(table, rule=rule, seed=seed, test_share=share)


def _held_together(table: Table, rule: str, rows: np.ndarray) -> np.ndarray | None:
    """Groups of these rows for early stopping, which holds out by the rule of the test rows, or what it would be."""
    numbers = units(table, table.split if rule == "none" else rule)
    return None if numbers is None else numbers[rows]


def _parts(split: Split) -> list[tuple[str, np.ndarray]]:
    return [(part, rows) for part, rows in (("train", split.train), ("test", split.test)) if len(rows)]


def _named(table: Table, rows: np.ndarray) -> Any:
    """The inputs with their names, which the network keeps."""
    import pandas as pd

    return pd.DataFrame(table.inputs[rows], columns=list(table.input_names), copy=False)


def _targets(table: Table, rows: np.ndarray) -> np.ndarray:
    return np.array(table.classes)[table.outputs[rows]] if table.classes else table.outputs[rows]


def _weight(table: Table, rows: np.ndarray) -> np.ndarray | None:
    return None if table.weight is None else table.weight[rows]


def _predicted(model: Any, table: Table, rows: np.ndarray) -> np.ndarray:
    """Outputs, shape (rows, outputs), or names of classes, shape (rows,)."""
    return np.asarray(model.predict(_named(table, rows)))


def _score(table: Table, split: Split, predicted: dict[str, np.ndarray], gain: float | None = None) -> Score:
    measure = _right if table.classes else _error
    found = {part: measure(table, rows, predicted[part]) for part, rows in _parts(split)}
    return Score(found["train"], found.get("test", math.nan), gain)


def _right(table: Table, rows: np.ndarray, predicted: np.ndarray) -> float:
    return float(mean(_targets(table, rows) == predicted, _weight(table, rows)))


def _error(table: Table, rows: np.ndarray, predicted: np.ndarray) -> float:
    return math.hypot(*_rms(table, rows, predicted))


def _rms(table: Table, rows: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Of each output; of errors divided by a power of two, which rounds nothing, squares stay within float64."""
    errors = table.outputs[rows] - predicted
    unit = int(np.frexp(np.abs(errors).max())[1])
    return np.ldexp(np.sqrt(mean(np.square(np.ldexp(errors, -unit)), _weight(table, rows))), unit)


def _trivial(model: Any, table: Table, split: Split) -> dict[str, Score]:
    """Least squares with an intercept, with its own gain, the mean and zero, fitted on the training rows alone."""
    rows, weight = split.train, _weight(table, split.train)
    scaler = StandardScaler().fit(table.inputs[rows], sample_weight=weight)
    outputs = np.eye(len(table.classes))[table.outputs] if table.classes else table.outputs
    centre = mean(outputs[rows], weight)
    whole = Samples(scaler.transform(table.inputs[rows]), outputs[rows] - centre, weight)
    slope, *_ = np.linalg.lstsq(*folded(whole, Loss.SQUARE), rcond=None)
    spread = 1.0 if model.inputs == "standardised" else scaler.scale_[:, None]
    fits = {
        "linear": lambda rows: centre + scaler.transform(table.inputs[rows]) @ slope,
        "mean": lambda rows: np.broadcast_to(centre, (len(rows), len(centre))),
        "zero": lambda rows: np.zeros((len(rows), len(centre))),
    }
    gains: dict[str, float | None] = {"linear": float(np.linalg.norm(slope / spread, 2)), "mean": 0.0, "zero": 0.0}
    if table.classes:  # shares of classes are no logits
        gains, names = dict.fromkeys(gains), np.array(table.classes)
        fits = {
            "linear": lambda rows, linear=fits["linear"]: names[linear(rows).argmax(axis=1)],  # type: ignore[misc]
            "most frequent": lambda rows: np.full(len(rows), names[centre.argmax()]),
        }
    return {
        name: _score(table, split, {part: fit(rows) for part, rows in _parts(split)}, gains.get(name))
        for name, fit in fits.items()
    }


def _overfitted(fit: TableFit) -> float | None:
    """Test error over training error, where that is much, and much beside the linear fit's on the same rows."""
    network, linear, mean = (fit.scores.get(name) for name in ("network", "linear", "mean"))
    if not (network and linear and mean and network.train > 0.0 and linear.train > 0.0):
        return None
    ratio = network.test / network.train
    worth_a_word = network.test > SLIGHT * mean.test
    return ratio if worth_a_word and ratio > OVERFITTED * max(1.0, linear.test / linear.train) else None


def _remarks(fit: TableFit) -> list[str]:
    """A bound in the wrong unit, a fit that did not end, blocks that are none, columns that say nothing."""
    asked, proven, linear = fit.model.lipschitz, fit.model.lipschitz_bound_, fit.scores["linear"].gain
    unit = f"{fit.table.unit or 'output units'} per {fit.per}"
    yardstick = "" if linear is None else f" The linear fit has a gain of {linear:.3g} {unit}."
    found = []
    if linear is not None and asked < NARROW * linear:
        found.append(f"The bound of {asked:.3g} is so small that outputs can hardly vary: is it in {unit}?{yardstick}")
    if WIDE * proven < asked:
        found.append(
            f"The bound of {asked:.3g} does not bind: {proven:.3g} {unit} is proven without reaching it. Is its unit "
            f"right?{yardstick} A bound below {proven:.3g} would make the network less steep."
        )
    stopped, ratio = fit.model.early_stopping, _overfitted(fit)
    if ratio is not None:
        other = "" if stopped else f", {argument('early_stopping')}"
        found.append(
            f"The error on the test rows is {ratio:.3g} times that on the training rows, which the network follows too "
            f"closely. A smaller bound{other} or fewer hidden units leave less room for that."
        )
    if not fit.converged and (stopped or ratio is None):
        found.append(
            f"The training loss still fell after {fit.model.n_iter_} {fit.iterations}; the bound holds all the same. "
            f"Raise {argument('max_iter')}."
        )
    if fit.dead:
        said = DEAD.format(argument("hidden"), argument("seed"))
        found.append(said[0].upper() + said[1:])
    if fit.rule == "blocked" and len(fit.table.inputs) < 2 * (1 + block_ids(fit.table).max()):
        found.append(
            f"Most blocks of {BLOCK_SECONDS:g} s hold a single row, so that rows beside each other train and test: is "
            f"{argument('time')} in seconds?"
        )
    if fit.table.constant:
        found.append(f"Inputs that never vary say nothing: {', '.join(fit.table.constant)}.")
    return found
