"""A regressor with a certified Lipschitz bound."""

from typing import Any, Self

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import validate_data

from normbench.errors import DataError
from normbench.estimators import columns, input_maps, samples
from normbench.estimators.base import LipschitzEstimator
from normbench.estimators.training import regression


class LipschitzRegressor(MultiOutputMixin, RegressorMixin, LipschitzEstimator):
    """A scikit-learn regressor, ||f(x) - f(x')|| <= lipschitz ||x - x'||, with a proof.

    Least squares by a ReLU network, y = mean + output_scale f((x - input_mean) / input_scale); nothing to tune.

    Attributes that every fit leaves are those of :class:`normbench.estimators.base.LipschitzEstimator`.

    Examples
    --------
    >>> import numpy as np
    >>> from normbench import LipschitzRegressor
    >>> X = np.linspace(-3, 3, 100)[:, None]
    >>> model = LipschitzRegressor(lipschitz=0.5, hidden=(8,), backend="reference").fit(X, 5 * np.abs(X[:, 0]))
    >>> model.lipschitz_bound_ <= 0.5
    True
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Train on a table.

        Parameters
        ----------
        X : array or data frame, shape (samples, columns)
        y : array, shape (samples,) or (samples, outputs)
        sample_weight : array, shape (samples,), optional
            What the loss of every row counts, at least 0, normalised by its mean: 0 leaves a row out, and a whole
            number is as many copies of it, but for what is drawn by chance, mini-batches and what is held out. Means
            and spreads of the columns and the held-out loss have the weights, too. None for all rows alike.
        groups : array, shape (samples,), optional
            Flight, subject or block of every row, numbers or text: ``early_stopping`` then holds out whole ones, since
            neighbours in a log are nearly copies. None for single rows.

        Raises
        ------
        ValueError
            If the table is not of finite numbers, has fewer than two samples of a weight above 0, or no column of X
            varies; if a weight or a parameter is out of range.
        TrainingError
            If the loss did not stay finite.
        """
        with self._fitting():
            return self._fitted(X, y, sample_weight, groups)

    def _fitted(self, X: Any, y: Any, sample_weight: Any, groups: Any) -> Self:
        settings = self._settings()
        columns.check("X", X)
        columns.check("y", y)
        # in one order, so that sums do not depend on how a table lies in memory
        X, y = validate_data(
            self, X, y, dtype=np.float64, order="C", multi_output=True, y_numeric=True, ensure_min_samples=2
        )
        try:
            y = np.asarray(y, dtype=np.float64, order="C")
        except ValueError as error:
            raise DataError(f"y must be numbers: {error}. For classes there is LipschitzClassifier.") from error
        table = samples.table_of(X, y.reshape(len(y), -1), sample_weight, groups)
        part, held_out = samples.divided(table, settings)
        fit = regression(settings, input_maps.fitted(self.inputs, part.x, part.weight), part, held_out)
        self.y_dimensions_ = y.ndim
        return self._keep(fit, settings, table)

    def predict(self, X: Any) -> np.ndarray:
        """Predictions in the unit of y, of the shape that y had in :meth:`fit`."""
        found = self._outputs(X)
        return found[:, 0] if self.y_dimensions_ == 1 else found
