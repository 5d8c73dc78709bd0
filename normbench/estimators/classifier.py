"""A classifier whose predictions hold within a certified distance."""

import math
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from normbench.certificates.arithmetic import ClassMargin
from normbench.errors import DataError
from normbench.estimators import columns, input_maps, samples
from normbench.estimators.base import LipschitzEstimator
from normbench.estimators.training import classification
from normbench.networks.activations import ACTIVATIONS


class LipschitzClassifier(ClassifierMixin, LipschitzEstimator):
    """A scikit-learn classifier with logits f, ||f(x) - f(x')|| <= lipschitz ||x - x'||, and a proof.

    Trained by cross-entropy, whose outputs are logits: their softmax is a distribution, and the bound says how sharp it
    may be. No change of x by less than :meth:`certified_radius` changes the predicted class.

    Attributes that every fit leaves are those of :class:`normbench.estimators.base.LipschitzEstimator`.

    Attributes
    ----------
    classes_ : array, shape (classes,)
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Self:
        """Train on a table.

        Parameters
        ----------
        X : array or data frame, shape (samples, columns)
        y : array, shape (samples,)
            Classes: numbers or text.
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
            If the table is not of finite numbers, fewer than two classes have a weight above 0, or no column of X
            varies; if a weight or a parameter is out of range.
        TrainingError
            If the loss did not stay finite.
        """
        with self._fitting():
            return self._fitted(X, y, sample_weight, groups)

    def _fitted(self, X: Any, y: Any, sample_weight: Any, groups: Any) -> Self:
        settings = self._settings()
        columns.check("X", X)
        columns.check("y", y, texts=True)
        y = columns.labels(y)
        X, y = validate_data(self, X, y, dtype=np.float64, order="C", ensure_min_samples=2)  # as of the regressor
        check_classification_targets(y)
        table = samples.table_of(X, y, sample_weight, groups)
        self.classes_, members = np.unique(table.y, return_inverse=True)
        if len(self.classes_) < 2:
            raise DataError(f"y has one class, {str(self.classes_[0])!r}; a classifier needs at least two.")
        table = table._replace(y=members)
        part, held_out = samples.divided(table, settings, classes=members)
        inputs = input_maps.fitted(self.inputs, part.x, part.weight)
        fit = classification(settings, inputs, part, held_out, len(self.classes_))
        return self._keep(fit, settings, table)

    def logits(self, X: Any) -> np.ndarray:
        """What the network gives, whose bound is ``lipschitz_bound_``; shape (samples, classes)."""
        return self._outputs(X)

    def decision_function(self, X: Any) -> np.ndarray:
        """The logits; for two classes the second less the first, as scikit-learn has it, shape (samples,)."""
        found = self.logits(X)
        return found[:, 1] - found[:, 0] if len(self.classes_) == 2 else found

    def predict_proba(self, X: Any) -> np.ndarray:
        """Softmax of the logits, shape (samples, classes)."""
        from scipy.special import softmax

        return softmax(self.logits(X), axis=1)

    def predict(self, X: Any) -> np.ndarray:
        """The class of the largest logit, shape (samples,)."""
        largest = self.logits(X).argmax(axis=1)
        return self.classes_[largest]

    def certified_radius(self, X: Any) -> np.ndarray:
        """Distance, in the unit of X, within which no other class is predicted: margin / (sqrt 2 ``lipschitz_bound_``).

        The margin is the largest logit less the second: a difference of two outputs moves by at most sqrt 2 times their
        distance. What roundings may have added to it is taken off, so that a margin of no more has a radius of 0.
        Infinite where the bound is 0. With inputs "unit_norm" the distance to the nearest x whose direction
        is so far away; with "standardised" columns one that holds in every direction.

        Parameters
        ----------
        X : array, shape (samples, columns)

        Returns
        -------
        array, shape (samples,)
        """
        X = self._checked(X)
        inputs, margin = input_maps.of(self.network_), self._class_margin()
        second, first = np.sort(input_maps.outputs(self.network_, X), axis=1)[:, -2:].T
        radii = np.full(len(X), math.inf)
        if self.lipschitz_bound_:
            radii = margin.radius(first - second, np.linalg.norm(inputs.mapped(X), axis=1))
        return inputs.distances(X, radii) * (1.0 - margin.spare)

    def _class_margin(self) -> ClassMargin:
        """What holds for the class that is computed, in float64."""
        network = self.network_
        return ClassMargin.of(
            network.weights,
            network.biases,
            bound=self.lipschitz_bound_,
            scale=input_maps.of(network).unit,
            activation=ACTIVATIONS[network.activation],
            output_scale=network.output_scale,
            dtype=np.dtype(np.float64),
        )
