"""ECLipsE-Fast (Y. Xu, S. Sivaranjani, arXiv 2404.04375): LipSDP layer by layer, in closed form.

One multiplier l_k for each layer, from the first to the last, each as large as keeps the next matrix best conditioned:

    X_0 = I,   K_k = W_k X_{k-1}^-1 W_k^T,   l_k = 1 / ||K_k||_op,   X_k = 2 l_k I - l_k^2 K_k,
    L^2 = ||W_m X_{m-1}^-1 W_m^T||_op.

(The paper's multipliers are twice these.) X_k >= l_k I, so the bound is at most the product of ||W_k||_op; it is more
than LipSDP's, and depends on how the neurons are scaled. Multipliers L^2 l_k and r = L^2 meet LipSDP's inequality.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from normbench.certificates.certificate import Certificate
from normbench.certificates.multipliers import certificate_of
from normbench.certificates.plain import Plain
from normbench.certificates.rescaling import rescaled_weights

KIND = "eclipse_fast"


def eclipse_fast(network: Plain, scales: Sequence[np.ndarray] = ()) -> Certificate | None:
    """The bound of the network as it is, or with its neurons scaled; None where rounding leaves no proof.

    Parameters
    ----------
    network : Plain
        Not constant, with slopes in [0, 1].
    scales : sequence of arrays, shape (n_k,), one for every hidden layer
        As of :mod:`normbench.certificates.rescaling`.

    Returns
    -------
    Certificate or None
        The witness is that of :mod:`normbench.certificates.multipliers`.

    Examples
    --------
    >>> import numpy as np
    >>> from normbench.certificates.plain import plain
    >>> round(eclipse_fast(plain([np.diag([1.0, 0.5]), np.diag([0.5, 1.0])])).bound, 6)
    0.755929
    """
    start = time.perf_counter()
    used = network.in_use(scales) if len(scales) else []
    weights = rescaled_weights(network.weights, used) if used else network.weights
    try:
        square, parts = _forward(weights)
    except np.linalg.LinAlgError:
        return None
    if used:
        parts = [part * scale**2 for part, scale in zip(parts, used, strict=True)]
    made = certificate_of(network, KIND, parts, square)
    return made and replace(made, seconds=time.perf_counter() - start)


def _forward(weights: Sequence[np.ndarray]) -> tuple[float, list[np.ndarray]]:
    """L^2 and L^2 l_k for every hidden neuron."""
    inner: np.ndarray | None = None  # the identity
    factors = []
    for weight in weights[:-1]:
        reach, norm = _reach(weight, inner)
        factor = 1.0 / norm
        factors.append(factor)
        inner = 2.0 * factor * np.eye(len(weight)) - factor**2 * reach
    square = _reach(weights[-1], inner)[1]
    if not math.isfinite(square):
        raise np.linalg.LinAlgError("beyond float64")
    return square, [np.full(len(w), square * f) for w, f in zip(weights[:-1], factors, strict=True)]


def _reach(weight: np.ndarray, inner: np.ndarray | None) -> tuple[np.ndarray, float]:
    """W X^-1 W^T and its largest eigenvalue."""
    reach = weight @ (weight.T if inner is None else cho_solve(cho_factor(inner, lower=True), weight.T))
    reach = (reach + reach.T) / 2.0
    return reach, float(np.linalg.eigvalsh(reach)[-1])
