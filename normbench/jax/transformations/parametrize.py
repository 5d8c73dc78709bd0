"""Weights of a network with a Lipschitz bound as a function of variables, for optax, equinox or any loop in JAX."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from normbench import numbers
from normbench.errors import InvalidArgumentError
from normbench.jax.promotion import promoting
from normbench.jax.updates.parametrisations import weights_of
from normbench.networks import Network
from normbench.networks.activations import ACTIVATIONS
from normbench.networks.base import Layer
from normbench.networks.layers import Convolution, Dense
from normbench.problems.initial_variables import initial_variables
from normbench.problems.shares import shares
from normbench.specs import parametrisations
from normbench.specs.base import Geometry, suggestion
from normbench.specs.parametrisations import PARAMETRISATIONS, Parametrisation

PRECISE = (jnp.float32, jnp.float64)  # their rounding is within the slack of shares
_TOO_COARSE = "Rounding of less breaks the bound: convert it, and what comes out as the last thing."


class Parametrised(NamedTuple):
    """What an optimiser moves, and what becomes of it.

    Attributes
    ----------
    variables : tuple of arrays
        Initial ones.
    weights : function
        Variables -> list of plain weights; pure, it traces.
    """

    variables: tuple[Array, ...]
    weights: Callable[[Sequence[Array]], list[Array]]


def parametrize(
    parametrisation: str,
    weights: Sequence[Any],
    *,
    lipschitz: float,
    activation: str = "relu",
    gain: float = 1.0,
    geometry: str | None = None,
) -> Parametrised:
    """Variables of a network whose Lipschitz constant is at most ``lipschitz``, whatever their values.

    "spectral"   W_k = c_k V_k / ||V_k||_op: any optimiser (arXiv 1811.08027)
    "bjorck"     c_k times that after 15 steps W = W (3 I - W^T W) / 2: any optimiser (arXiv 1811.05381)
    "sandwich"   W_1 = c_1 B_1, W_k = 2 c_k B_k A_{k-1}^T, W_L = 2 c_L A_{L-1}^T with ||[A_k B_k]||_op <= 1, from free
                 variables by the Cayley transform: any optimiser (arXiv 2301.11526)
    "ball"       W_k = c_k P_k with ||P_k||_op <= 1, and "sandwich" with geometry "stiefel", whose variables are
                 [A_k B_k]: what keeps them there, :func:`normbench.jax.geodesic_lbfgs`,
                 :func:`normbench.jax.online_lbfgs` and :func:`normbench.jax.polar_average`, with ``radius=1.0``
    "sphere"     W_k = c_k P_k with ||P_k||_F = 1: ``method1`` and ``geodesic_lbfgs(manifold="sphere")``

    The constants c_k, prod c_k = (1 - 2e-6)^L lipschitz / gain, share the bound out among the layers as the initial
    weights do. The network f(x) = W_L rho(... rho(W_1 x + b_1) ...) + b_L may have biases, which do not bear on the
    bound; they are parameters beside the variables. Through "ball", and "sandwich" on "stiefel", the plain weights are
    those given where the product of their norms is at most ``lipschitz`` (sandwich: up to positive factors between the
    layers); elsewhere, and through "spectral", smaller or larger by a factor.

    Parameters
    ----------
    parametrisation : str
        Key, see :data:`normbench.specs.parametrisations.PARAMETRISATIONS`.
    weights : sequence of arrays, shape (fan_out, fan_in) or (out, in, height, width)
        Initial ones, float32 or float64, the first layer first.
    lipschitz : float
        Largest ||f(x) - f(x')|| / ||x - x'||.
    activation : str
        rho, one of :data:`normbench.networks.activations.ACTIVATIONS`.
    gain : float
        Product of the operator norms of all else that is no weight: sqrt(overlap) of every convolution, 1/size of an
        average pool, see :func:`normbench.jax.method2`.
    geometry : "free", "stiefel" or "sphere", optional
        Where the variables lie, for a parametrisation that declares several; by default anywhere, if it can be.

    Raises
    ------
    InvalidArgumentError
        If the parametrisation keeps no bound, or does not take the network or the geometry; if a weight is zero, not
        finite, no matrix or kernel, or of another dtype; if a number is not positive.

    Examples
    --------
    >>> import jax, optax
    >>> import jax.numpy as jnp
    >>> import numpy as np
    >>> from normbench.jax import parametrize
    >>> rng = np.random.default_rng(0)
    >>> drawn = [rng.normal(size=shape).astype(np.float32) for shape in [(16, 3), (2, 16)]]
    >>> x = rng.normal(size=(8, 3)).astype(np.float32)
    >>> start = parametrize("sandwich", drawn, lipschitz=2.0)
    >>> def loss(params):
    ...     first, last = start.weights(params["variables"])
    ...     return jnp.mean((jax.nn.relu(x @ first.T + params["bias"]) @ last.T - x[:, :2]) ** 2)
    >>> params, optimizer = {"variables": start.variables, "bias": jnp.zeros(16)}, optax.adam(0.1)
    >>> @jax.jit
    ... def step(params, state):
    ...     value, grads = jax.value_and_grad(loss)(params)
    ...     updates, state = optimizer.update(grads, state)
    ...     return optax.apply_updates(params, updates), state, value
    >>> state, values = optimizer.init(params), []
    >>> for _ in range(20):
    ...     params, state, value = step(params, state)
    ...     values.append(float(value))
    >>> values[-1] < values[0]
    True
    >>> plain = jax.jit(start.weights)(params["variables"])  # for export, or by eqx.tree_at into layers of equinox
    >>> [w.shape for w in plain]
    [(16, 3), (2, 16)]
    """
    found = _bounded(parametrisation)
    place = _geometry(found, geometry)
    arrays = [_checked(k, w) for k, w in enumerate(weights)]
    if not arrays:
        raise InvalidArgumentError("there are no weights: give those of every layer, the first layer first.")
    network = _network(found, arrays, activation)
    bound, rest = numbers.positive("lipschitz", lipschitz), numbers.positive("gain", gain)
    dtype = jnp.result_type(*weights)
    names = [f"weights[{k}]" for k in range(len(arrays))]
    shared = shares(arrays, names, lipschitz=bound, gain=rest * network.gain, dtype=dtype.name)
    scales = [share.factor for share in shared]
    start = initial_variables(found, place, tuple(W / c for W, c in zip(arrays, scales, strict=True)))
    plain = weights_of(found, place, tuple(W.shape for W in arrays))
    variables = tuple(jnp.asarray(v, dtype) for v in start)

    @promoting
    def scaled(given: Sequence[Array]) -> list[Array]:
        _require_alike(given, variables)
        return [c * W for W, c in zip(plain(tuple(given)), scales, strict=True)]

    return Parametrised(variables, scaled)


def _require_alike(given: Any, variables: Sequence[Array]) -> None:
    """Refuse what are not these variables: of fewer come other weights, of less precision larger ones."""
    found = list(given) if isinstance(given, list | tuple) else [given]
    shapes, expected = [np.shape(v) for v in found], [v.shape for v in variables]
    if shapes != expected:
        raise InvalidArgumentError(
            f"weights() takes the {len(expected)} variables of its network, of shapes {expected}; got {shapes}. Hand "
            "over the variables that parametrize gave, or what an optimiser has made of them, in their order."
        )
    for k, variable in enumerate(found):
        if jnp.result_type(variable) not in PRECISE:
            raise InvalidArgumentError(
                f"variables[{k}] must be float32 or float64; got {jnp.result_type(variable)}. {_TOO_COARSE}"
            )


def _bounded(key: str) -> Parametrisation:
    found = parametrisations.get(key)
    if not found.bounded:
        others = ", ".join(name for name, p in PARAMETRISATIONS.items() if p.bounded)
        raise InvalidArgumentError(f"parametrisation {key!r} keeps no bound. Choose one of {others}.")
    return found


def _geometry(found: Parametrisation, name: str | None) -> Geometry:
    if name is None:
        return Geometry.FREE if Geometry.FREE in found.geometries else found.geometries[0]
    if name not in found.geometries:
        raise InvalidArgumentError(
            f"the variables of parametrisation {found.key!r} lie on {' or '.join(found.geometries)}; got {name!r}."
        )
    return Geometry(name)


def _checked(k: int, weight: Any) -> np.ndarray:
    """One of the weights in float64."""
    if isinstance(weight, jax.core.Tracer):
        raise InvalidArgumentError(
            f"weights[{k}] is traced, and has no values to start from. Call parametrize outside of jit, vmap and grad, "
            "and its function of the variables inside."
        )
    if not isinstance(weight, np.ndarray | jax.Array):
        raise InvalidArgumentError(
            f"weights[{k}] must be an array of NumPy or JAX; got {weight!r:.60}. Give a list of arrays, the first "
            "layer's first."
        )
    dtype, shape = jnp.result_type(weight), np.shape(weight)
    if dtype not in PRECISE:
        raise InvalidArgumentError(f"weights[{k}] must be float32 or float64; got {dtype}. {_TOO_COARSE}")
    if len(shape) < 2 or 0 in shape:
        raise InvalidArgumentError(f"weights[{k}] must be (fan_out, fan_in) or a kernel with entries; got {shape=}.")
    found = np.asarray(weight, np.float64)
    if not np.isfinite(found).all() or not found.any():
        raise InvalidArgumentError(
            f"weights[{k}] of shape {shape} is {'zero' if np.isfinite(found).all() else 'not finite'}: it has no "
            "direction to start from. Draw it at random."
        )
    return found


def _network(found: Parametrisation, arrays: Sequence[np.ndarray], name: str) -> Network:
    """The layers in turn with the activation, checked against the parametrisation."""
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise InvalidArgumentError(
            f"no activation {name!r}.{suggestion(name, ACTIVATIONS)} Choose one of {', '.join(ACTIVATIONS)}."
        )
    between = ACTIVATIONS[name]
    layers: list[Layer] = []
    for W in arrays:
        kind = Dense if W.ndim == 2 else Convolution
        layers += [kind(W.shape[1], W.shape[0]), between]
    del layers[-1]
    network = Network((arrays[0].shape[1],), tuple(layers))
    parametrisations.check_network(found, network, bounded=True)
    if found.in_turn:
        network.output_shape  # noqa: B018 - raises where the weights do not follow on one another
    return Network((), (between,) * (len(arrays) - 1))  # kernels come with the user's gain
