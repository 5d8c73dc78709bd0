"""Scaling of data and initial weights: Algorithm 1 of arXiv 2312.10672, prescription 1 of arXiv 2304.05187.

Everything here is NumPy and drawn by seed, so that every backend starts from the same bits.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from normbench.errors import DataError, InvalidArgumentError
from normbench.manifolds import initial_weights
from normbench.networks import Loss, Network, as_network
from normbench.networks.base import Scale, Shape
from normbench.networks.norms import fixed_gain, lipschitz

Weights = tuple[np.ndarray, ...]
Part = tuple[np.ndarray, np.ndarray]

LARGE = 1024
WEIGHT_STREAM = 1  # seeds the weights apart from the split, which uses the bare seed


@dataclass(frozen=True, eq=False)
class Problem:
    """Normalised data, a network with initial weights, and what turns outputs back into physical units.

    The objective is the mean over samples of ||f(x) - y||^2 / (2 loss_divisor), or of the cross-entropy of f(x) with y.

    Attributes
    ----------
    x_train, x_test : array, shape (samples, *network.input_shape), float64, or integers where the network embeds tokens
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
        return self.network.is_perceptron and self.loss is Loss.SQUARE

    @property
    def curvature(self) -> float:
        """c with loss(f + df) <= loss(f) + <gradient, df> + c ||df||^2 / 2: 1 / loss_divisor, or 1 for cross-entropy.

        Corollaries 1 and 2 of arXiv 2304.05187, with ||df||_inf <= ||df||_2.
        """
        return 1.0 / self.loss_divisor if self.loss is Loss.SQUARE else 1.0

    @cached_property
    def mean_square_input(self) -> float:
        """Mean ||x||^2 over the training set."""
        return math.fsum(np.square(self.x_train).sum(axis=tuple(range(1, self.x_train.ndim)))) / len(self.x_train)

    @property
    def majorant_scale(self) -> float:
        """Q of eq. 22 of arXiv 2312.10672 for any network and loss: c gain^2 mean ||x||^2 over the training set.

        The gain is that of all layers without weights, c the curvature. NaN where a layer has no known gain.
        """
        try:
            return self.curvature * fixed_gain(self.network) ** 2 * self.mean_square_input
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
        return lipschitz(self.network, weights) * self.input_norm * self.output_scale


def xavier_uniform(shapes: tuple[Shape, ...], rng: np.random.Generator) -> Weights:
    """Weights uniform on +-sqrt(6 / (fan_in + fan_out)); the fans of a kernel count its positions."""
    return tuple(rng.uniform(-1.0, 1.0, size=s) * np.sqrt(6.0 / ((s[0] + s[1]) * math.prod(s[2:]))) for s in shapes)


def semi_orthogonal(shapes: tuple[Shape, ...], rng: np.random.Generator) -> Weights:
    """Weights uniform on semi-orthogonal matrices, singular values sqrt(d_k / d_{k-1}) (Algorithm 1 of 2304.05187).

    Every position of a kernel is such a matrix, with singular values divided by sqrt(height width) (appendix B).
    """
    return tuple(
        np.moveaxis(
            np.stack([_semi_orthogonal(s[0], s[1], rng) for _ in range(math.prod(s[2:]))]).reshape(*s[2:], *s[:2]),
            (-2, -1),
            (0, 1),
        )
        / np.sqrt(math.prod(s[2:]))
        for s in shapes
    )


def _semi_orthogonal(fan_out: int, fan_in: int, rng: np.random.Generator) -> np.ndarray:
    size = max(fan_in, fan_out)
    if size > LARGE:  # the thin factor is as uniform, and a square one of a vocabulary would not fit into memory
        thin, upper = np.linalg.qr(rng.normal(size=(size, min(fan_in, fan_out))))
        thin *= np.sign(np.diag(upper))
        return (thin if fan_out >= fan_in else thin.T) * np.sqrt(fan_out / fan_in)
    from scipy.stats import ortho_group

    square = ortho_group.rvs(size, random_state=rng) if size > 1 else np.sign(rng.normal(size=(1, 1)))
    return square[:fan_out, :fan_in] * np.sqrt(fan_out / fan_in)


def unit_inputs(inputs: np.ndarray) -> np.ndarray:
    """Every sample divided by its own norm: x / ||x||.

    Raises
    ------
    DataError
        If a sample has zero norm.
    """
    norms = np.linalg.norm(inputs.reshape(len(inputs), -1), axis=1)
    if not norms.all():
        raise DataError(f"input sample {int(np.argmin(norms))} has zero norm; x / ||x|| is undefined. Remove it.")
    return inputs / norms.reshape(-1, *[1] * (inputs.ndim - 1))


def _largest_norm(targets: np.ndarray) -> float:
    largest = float(np.linalg.norm(targets, axis=1).max())
    if largest == 0.0:
        raise DataError("all training targets are zero, so Ymax = 0 and y / Ymax is undefined.")
    return largest


def spectral_initialisation(
    train: Part,
    test: Part,
    network: Network | Shape,
    *,
    seed: int,
    radius: float = 1.0,
    loss: Loss = Loss.SQUARE,
    classes: int = 0,
) -> Problem:
    """Algorithm 1 of arXiv 2312.10672: unit-norm inputs, weights on spheres, outputs scaled to the network's gain.

    W_i = mu W_i / ||W_i||_F,  x = x / ||x||,  y = prod ||W_i||_op y / Ymax, with Ymax over the training set.

    For cross-entropy the logits are scaled instead, f sqrt(d_L) / prod ||W_i||_op, to a norm of at most sqrt(d_L). In
    a network without a Lipschitz bound the product counts as 1, and tokens stay as they are.

    Parameters
    ----------
    train, test : pair of arrays, shapes (samples, ...) and (samples, d_L)
        Inputs and outputs in physical units; outputs one-hot or integers for classes.
    network : Network, or widths d_0, ..., d_L of a perceptron
    seed : int
        Seeds the uniform Xavier weights.
    radius : float
        mu, the Frobenius norm of every layer.
    loss : Loss
    classes : int

    Raises
    ------
    DataError
        If a sample has zero norm or all training targets are zero.
    InvalidArgumentError
        If there are fewer than two layers, a width is not positive, or the radius is not positive and finite.
    """
    if not 0.0 < radius < np.inf:
        raise InvalidArgumentError(f"radius must be positive and finite; got {radius!r}.")
    network = as_network(network)
    drawn = xavier_uniform(network.weight_shapes, np.random.default_rng([seed, WEIGHT_STREAM]))
    weights = tuple(radius * w / np.linalg.norm(w) for w in drawn)
    return _scaled_to_gain(train, test, network, weights, loss, classes)


def manifold_initialisation(
    train: Part,
    test: Part,
    network: Network | Shape,
    *,
    seed: int,
    manifold: str,
    grouping: str,
    groups: int,
    partition_seed: int,
    loss: Loss = Loss.SQUARE,
    classes: int = 0,
) -> Problem:
    """Uniform Xavier weights projected onto the scaled manifolds of FG-SGD; the rest as Algorithm 1 of 2312.10672.

    The scales make gains so small that the square loss is divided by their square: else no learning rate would do.

    Parameters and errors as :func:`spectral_initialisation` and :func:`normbench.manifolds.initial_weights`.
    """
    network = as_network(network)
    drawn = xavier_uniform(network.weight_shapes, np.random.default_rng([seed, WEIGHT_STREAM]))
    weights = initial_weights(
        drawn,
        manifold=manifold,
        grouping=grouping,
        groups=groups,
        partition_seed=partition_seed,
        positions=(1,) * len(drawn),
    )
    return _scaled_to_gain(train, test, network, weights, loss, classes, undone=True)


def _scaled_to_gain(
    train: Part, test: Part, network: Network, weights: Weights, loss: Loss, classes: int, *, undone: bool = False
) -> Problem:
    """Unit-norm inputs, and outputs scaled to the gain of the given weights, as in :func:`spectral_initialisation`.

    ``undone``: the square loss is divided by the squared gain, so that its size does not depend on it.
    """
    gain = lipschitz(network, weights)
    gain = gain if math.isfinite(gain) else 1.0
    if loss is Loss.CROSS_ENTROPY:
        outputs = network.output_shape[-1]
        network = Network(network.input_shape, (*network.layers, Scale(math.sqrt(outputs) / gain)))
    scale = gain / _largest_norm(train[1]) if loss is Loss.SQUARE else 1.0
    loss_divisor = gain**2 if undone and loss is Loss.SQUARE else 1.0
    return _problem(train, test, network, weights, scale, 1.0, loss_divisor, loss, classes)


def dimensional_scaling(
    train: Part,
    test: Part,
    network: Network | Shape,
    *,
    seed: int,
    loss: Loss = Loss.SQUARE,
    classes: int = 0,
) -> Problem:
    """Prescription 1 of arXiv 2304.05187: ||x|| = sqrt(d_0), ||W_k||_op = sqrt(d_k / d_{k-1}), ||y|| <= sqrt(d_L).

    The paper gives every target the norm sqrt(d_L); a regression target carries its size, so here the largest
    training target has that norm and the others keep their ratio to it. Lemmas 3 to 8 need the upper bound only.

    Parameters and errors as :func:`spectral_initialisation`.
    """
    network = as_network(network)
    outputs = network.output_shape[-1]
    weights = semi_orthogonal(network.weight_shapes, np.random.default_rng([seed, WEIGHT_STREAM]))
    input_norm = math.sqrt(math.prod(network.input_shape))
    scale = math.sqrt(outputs) / _largest_norm(train[1]) if loss is Loss.SQUARE else 1.0
    return _problem(train, test, network, weights, scale, input_norm, float(outputs), loss, classes)


def _problem(
    train: Part,
    test: Part,
    network: Network,
    weights: Weights,
    scale: float,
    input_norm: float,
    loss_divisor: float,
    loss: Loss,
    classes: int,
) -> Problem:
    (x_train, y_train), (x_test, y_test) = ((_inputs(x, input_norm), _targets(y, scale)) for x, y in (train, test))
    return Problem(
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        weights=weights,
        loss_divisor=loss_divisor,
        output_scale=1.0 / scale,
        input_norm=input_norm,
        network=network,
        loss=loss,
        classes=classes,
    )


def _inputs(x: np.ndarray, norm: float) -> np.ndarray:
    return x if np.issubdtype(x.dtype, np.integer) else unit_inputs(x.astype(np.float64)) * norm


def _targets(y: np.ndarray, scale: float) -> np.ndarray:
    return y if np.issubdtype(y.dtype, np.integer) else y * scale
