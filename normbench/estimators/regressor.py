"""A regressor with a certified Lipschitz bound."""

from typing import Any, Self

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import validate_data

from normbench.estimators import input_maps
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

    def fit(self, X: Any, y: Any) -> Self:
        """Train on a table.

        Parameters
        ----------
        X : array or data frame, shape (samples, columns)
        y : array, shape (samples,) or (samples, outputs)

        Raises
        ------
        ValueError
            If the table is not of finite numbers, has fewer than two samples, or no column of X varies; if a parameter
            is out of range.
        TrainingError
            If the loss did not stay finite.
        """
        settings = self._settings()
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True, ensure_min_samples=2)
        y = np.asarray(y, dtype=np.float64)
        targets = y.reshape(len(y), -1)
        (x, part), held_out = self._divided(settings, X, targets)
        fit = regression(settings, input_maps.fitted(self.inputs, x), x, part, held_out)
        self.y_dimensions_ = y.ndim
        return self._keep(fit, settings, X, targets)

    def predict(self, X: Any) -> np.ndarray:
        """Predictions in the unit of y, of the shape that y had in :meth:`fit`."""
        found = self._outputs(X)
        return found[:, 0] if self.y_dimensions_ == 1 else found
