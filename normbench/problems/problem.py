"""What a run starts from: normalised data, a network with initial weights, and the way back to physical units."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from normbench.data.streamed import StreamedImages
from normbench.errors import InvalidArgumentError
from normbench.networks import Loss, Network
from normbench.networks.families import is_perceptron

Weights = tuple[np.ndarray, ...]
Part = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Problem:
    """Normalised data, a network with initial weights, and what turns outputs back into physical units.

    The objective is the mean over samples of ||f(x) - y||^2 / (2 loss_divisor), or of the cross-entropy of f(x) with y.

    Attributes
    ----------
    x_train, x_test : array, shape (samples, *network.input_shape), float64, or integers where the network embeds tokens
        Or, in their place, :class:`normbench.data.streamed.StreamedImages`: only rows of them can be asked for.
    y_train, y_test : array, shape (samples, d_L), float64, or integer classes
    weights : tuple of arrays, float64
        Initial weights in the order of ``network.weight_shapes``.
    loss_divisor : float
        1 for arXiv 2312.10672, d_L for arXiv 2304.05187 (Example 1); without meaning for cross-entropy.
    output_scale : float
        Physical unit of the outputs per normalised unit: Ymax / prod ||W_i||_op under Algorithm 1.
    input_norm : float
        ||x|| of every normalised sample.
    network : Network
    loss : Loss
    classes : int
        Number of classes; 0 for regression.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    weights: Weights
    loss_divisor: float
    output_scale: float
    input_norm: float
    network: Network
    loss: Loss = Loss.SQUARE
    classes: int = 0

    @property
    def is_by_hand(self) -> bool:
        """True for a perceptron with the square loss, whose derivatives the trainers have by hand."""
        return is_perceptron(self.network) and self.loss is Loss.SQUARE

    @property
    def curvature(self) -> float:
        """c with loss(f + df) <= loss(f) + <gradient, df> + c ||df||^2 / 2: 1 / loss_divisor, or 1 for cross-entropy.

        Corollaries 1 and 2 of arXiv 2304.05187, with ||df||_inf <= ||df||_2.
        """
        return 1.0 / self.loss_divisor if self.loss is Loss.SQUARE else 1.0

    @cached_property
    def mean_square_input(self) -> float:
        """Mean ||x||^2 over the training set; in a cross-entropy every sample counts by the weight of its target."""
        if isinstance(self.x_train, StreamedImages):
            return self.input_norm**2
        squares = np.square(self.x_train).sum(axis=tuple(range(1, self.x_train.ndim)))
        if self.loss is Loss.CROSS_ENTROPY and np.issubdtype(self.y_train.dtype, np.floating):
            squares = squares * self.y_train.sum(axis=-1)
        return math.fsum(squares) / len(self.x_train)

    @property
    def majorant_constants(self) -> dict[str, float]:
        """What the drop-in classes of a method with a majorant ask of data, network and loss, see majorant_scale."""
        return {
            "mean_square_input": self.mean_square_input,
            "gain": self.network.gain,
            "curvature": self.curvature,
        }

    @property
    def majorant_scale(self) -> float:
        """Q of eq. 22 of arXiv 2312.10672 for any network and loss: c gain^2 mean ||x||^2 over the training set.

        The gain is that of all layers without weights, c the curvature. NaN where a layer has no known gain.
        """
        try:
            return self.curvature * self.network.gain**2 * self.mean_square_input
        except InvalidArgumentError:
            return math.nan

    def rms(self, loss: float) -> float:
        """Root-mean-square error norm in physical units: sqrt(2 c L) Ymax / prod ||W_i||_op at initialisation.

        NaN for cross-entropy, which :meth:`errors` serves.
        """
        if self.loss is Loss.CROSS_ENTROPY:
            return math.nan
        return float(np.sqrt(2.0 * self.loss_divisor * loss) * self.output_scale)

    def predictions(self, outputs: np.ndarray) -> np.ndarray:
        """Outputs in physical units; probabilities for cross-entropy."""
        from scipy.special import softmax  # SciPy takes a second: only those who train need it

        if self.loss is Loss.CROSS_ENTROPY:
            return softmax(outputs, axis=-1)
        return outputs * self.output_scale

    def errors(self, pieces: Iterable[np.ndarray], targets: np.ndarray) -> tuple[float, float]:
        """RMS error norm of the predictions in physical units, and the share of samples classified rightly.

        Parameters
        ----------
        pieces : iterable of arrays, shape (some samples, ..., d_L)
            Outputs of the network, which together are those of all samples.
        targets : array
            ``y_train`` or ``y_test``.

        Returns
        -------
        rms : float
            sqrt(mean ||prediction - target||^2); for classes, the root of the Brier score over all of them.
        accuracy : float
            NaN for regression.
        """
        squares, hits, count = 0.0, 0, 0
        with np.errstate(over="ignore", invalid="ignore"):  # outputs of a run that diverged
            for outputs in pieces:
                predicted = self.predictions(np.asarray(outputs, dtype=np.float64))
                distances, right = self._judged(predicted, targets[: len(outputs)])
                targets = targets[len(outputs) :]
                squares += float(distances.sum())
                hits += int(right.sum())
                count += right.size
        return math.sqrt(squares / count), hits / count if self.classes else math.nan

    def _judged(self, predicted: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """||prediction - target||^2 of every prediction, and whether its largest entry is the right one."""
        largest = predicted.argmax(axis=-1)
        if np.issubdtype(wanted.dtype, np.integer):  # ||p - y||^2 = ||p||^2 - 2 p_y + 1
            at_target = np.take_along_axis(predicted, wanted[..., None], axis=-1)[..., 0]
            return np.square(predicted).sum(axis=-1) - 2 * at_target + 1, largest == wanted
        physical = wanted if self.loss is Loss.CROSS_ENTROPY else wanted * self.output_scale
        return np.square(predicted - physical).sum(axis=-1), largest == wanted.argmax(axis=-1)

    def lipschitz_bound(self, weights: Weights) -> float:
        """Bound prod ||W_i||_op (eq. 2 of arXiv 2312.10672) in physical output units per unit-norm input.

        NaN where a weight is not finite, or the network has a layer without a bound. For cross-entropy the outputs
        are logits.
        """
        return self.network.lipschitz(weights) * self.input_norm * self.output_scale
