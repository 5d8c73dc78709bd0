"""LipSDP-Neuron (arXiv 1906.04893, with a multiplier for every neuron), solved by our own barrier method.

With slopes in [0, 1], every y = rho(a), y' = rho(a') has sum_j l_j (y - y')_j (a - a' - (y - y'))_j >= 0 for l >= 0.
Adding that up over the hidden layers, with weights W_1, ..., W_m, gives ||f(x) - f(x')||^2 <= r ||x - x'||^2 where

        | r I       -W_1^T L_1                            |
    M = | -L_1 W_1   2 L_1     -W_2^T L_2                 |  >= 0,      L_k = diag(l_k),
        |                       ...                       |
        |                       -L W_{m-1}  2 L - W_m^T W_m |

and the program is to minimise r. Rescaled neurons have rescaled multipliers, and the same r. With E the columns of
hidden units of the identity and U such that M = C + r I_0 + E L U^T + U L E^T, and with P = M^-1, G = E^T P U:

    d/dl = -2 diag G,      d2/dl2 = 2 (G o G^T + (E^T P E) o (U^T P U))      (o: entry by entry)
"""

import math
import time
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from normbench.certificates import barrier
from normbench.certificates.certificate import Certificate, Status
from normbench.certificates.multipliers import certificate_of
from normbench.certificates.plain import Plain
from normbench.certificates.rescaling import rescaled_weights, rescaling

KIND = "lipsdp"


def lipsdp(
    network: Plain,
    *,
    start: Certificate | None = None,
    deadline: float = math.inf,
    tolerance: float = barrier.TOLERANCE,
) -> Certificate:
    """The LipSDP-Neuron bound. Its witness is that of :mod:`normbench.certificates.multipliers`.

    Parameters
    ----------
    network : Plain
        Not constant, with slopes in [0, 1].
    start : Certificate or None
        A rescaling of the network to begin with, whose bound is never exceeded; None looks for one.
    deadline : float
        Of ``time.perf_counter()``, in seconds; the best found until then is returned.
    tolerance : float
        Gap at which the search ends.

    Examples
    --------
    >>> import numpy as np
    >>> from normbench.certificates.plain import plain
    >>> f = [np.array([[1.0], [1.0]]), np.array([[1.0, -1.0]])]  # relu(x) - relu(x) = 0, were it known
    >>> round(lipsdp(plain(f)).bound, 4)
    1.0
    """
    began = time.perf_counter()
    first = rescaling(network, deadline=deadline) if start is None else start
    scales = network.in_use(first.witness["scales"])
    weights = rescaled_weights(network.weights, scales)
    norms = [float(np.linalg.norm(weight, 2)) for weight in weights]
    program = _Program([weight / norm for weight, norm in zip(weights, norms, strict=True)])
    found = barrier.minimise(program, program.start(), tolerance=2 * tolerance, deadline=deadline)
    # back from scaled neurons and layers: L = D L' D prod_{j > k} norm_j^2
    tails = np.cumprod([1.0, *(norm**2 for norm in reversed(norms[1:]))])[:0:-1]
    parts = [s**2 * part * tail for s, part, tail in zip(scales, program.parts(found.x), tails, strict=True)]
    total = math.prod(norm**2 for norm in norms)
    made = certificate_of(network, KIND, parts, float(found.x[0]) * total)
    if made is None:
        return first
    gap = found.gap_of(made.bound, network.bound(Fraction(math.sqrt(max(found.dual * total, 0.0)))))
    status = Status.STALLED if found.status is Status.OPTIMAL and gap > 10 * tolerance else found.status
    return Certificate(KIND, made.bound, made.witness, status, gap, time.perf_counter() - began)


class _Program:
    """The program in x = (r, l_1, ..., l_{m-1}), for weights of norm 1."""

    def __init__(self, weights: Sequence[np.ndarray]) -> None:
        self._weights = (barrier.narrowed(weights[0]), *weights[1:-1]) if len(weights) > 1 else ()
        last = barrier.narrowed(weights[-1].T) if len(weights) > 1 else barrier.narrowed(weights[-1])
        self._inputs = self._weights[0].shape[1] if self._weights else last.shape[1]
        sizes = [self._inputs, *(len(weight) for weight in self._weights)]
        ends = np.cumsum(sizes)
        self._blocks = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
        self.order = int(ends[-1])
        gram = last @ last.T if self._weights else last.T @ last
        self._constant = np.zeros((self.order, self.order))
        self._constant[self._blocks[-1], self._blocks[-1]] = -gram

    def start(self) -> np.ndarray:
        """l_k = c^(m-k), which is the rescaling's own proof."""
        return barrier.well_inside([1, *(len(weight) for weight in self._weights)])

    def parts(self, x: np.ndarray) -> list[np.ndarray]:
        """l_1, ..., l_{m-1}."""
        return [x[1 + block.start - self._inputs : 1 + block.stop - self._inputs] for block in self._blocks[1:]]

    def matrix(self, x: np.ndarray) -> np.ndarray:
        """M, its lower triangle and diagonal."""
        matrix = self._constant.copy()
        inputs = np.arange(self._inputs)
        matrix[inputs, inputs] += x[0]
        hidden = np.arange(self._inputs, self.order)
        matrix[hidden, hidden] += 2.0 * x[1:]
        for k, (weight, part) in enumerate(zip(self._weights, self.parts(x), strict=True)):
            matrix[self._blocks[k + 1], self._blocks[k]] = -part[:, None] * weight
        return matrix

    def potential(self, x: np.ndarray) -> float:
        """-log det M; inf outside."""
        return barrier.minus_log_det(self.matrix(x)) if (x > 0.0).all() else math.inf

    def derivatives(self, x: np.ndarray) -> tuple[np.ndarray, barrier.Hessian]:
        """Gradient and Hessian of the barrier. U has two blocks a layer, so that its products are taken block-wise."""
        inverse = barrier.inverse(self.matrix(x))
        inputs = slice(0, self._inputs)
        hidden = slice(self._inputs, self.order)
        beside = np.empty((self.order, self.order - self._inputs))  # P U
        around = np.empty((self.order - self._inputs,) * 2)  # U^T P U
        columns = [slice(b.start - self._inputs, b.stop - self._inputs) for b in self._blocks[1:]]
        for k, weight in enumerate(self._weights):
            beside[:, columns[k]] = inverse[:, self._blocks[k + 1]] - inverse[:, self._blocks[k]] @ weight.T
        for k, weight in enumerate(self._weights):
            around[columns[k]] = beside[self._blocks[k + 1]] - weight @ beside[self._blocks[k]]
        within = beside[hidden]  # G
        hessian = np.empty((self.order - self._inputs + 1,) * 2)
        hessian[1:, 1:] = 2.0 * (within * within.T + inverse[hidden, hidden] * around)
        hessian[0, 0] = np.sum(inverse[inputs, inputs] ** 2)
        hessian[0, 1:] = hessian[1:, 0] = 2.0 * np.sum(inverse[inputs, hidden] * beside[inputs], axis=0)
        gradient = np.concatenate([[-inverse[inputs, inputs].trace()], -2.0 * within.diagonal()])
        return gradient, barrier.Dense(hessian)
