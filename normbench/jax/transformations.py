"""The updates as optax gradient transformations, for a user's own parameters and loop.

Each is a thin wrapper around the pure update of its family: updates are new weights minus old ones. All of them jit,
vmap and scan.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from normbench import specs
from normbench.errors import InvalidArgumentError
from normbench.jax.agd import agd as agd_update
from normbench.jax.fromage import fromage as fromage_update
from normbench.jax.fromage import lars as lars_update
from normbench.jax.fromage import norm_bounds
from normbench.jax.method1 import method1 as method1_update
from normbench.jax.method2 import method2 as method2_update
from normbench.jax.method2 import method2_exp as method2_exp_update
from normbench.jax.spheres import Arrays, radii


class SphereState(NamedTuple):
    """Radii mu_i in the order of the leaves, and the last step size tau in radians."""

    radii: Arrays
    step_size: Array


class BoundState(NamedTuple):
    """Largest admissible norm of every leaf."""

    norm_bounds: Arrays


class StepState(NamedTuple):
    """The last step size."""

    step_size: Array


class _Evaluated(NamedTuple):
    """Weights and value of one evaluation; the gradient is that of the start, the only one the step asks for."""

    weights: Arrays
    loss: Array
    gradient: Arrays


class _ValueCurve(NamedTuple):
    """The objective that method 1 walks along, made of a user's function and automatic differentiation."""

    value_fn: Callable[[Any], Array]
    structure: Any
    gradient: Arrays

    def value(self, weights: Arrays) -> Array:
        """The user's function at ``weights``."""
        return self.value_fn(jax.tree.unflatten(self.structure, weights))

    def point(self, weights: Arrays) -> _Evaluated:
        """Evaluate at ``weights``."""
        return _Evaluated(weights, self.value(weights), self.gradient)

    def curve_derivatives(
        self, point: _Evaluated, velocity: Sequence[Array], moving: Sequence[Array], order: int
    ) -> list[Array]:
        """Derivatives of the value along the geodesic, by nested forward-mode differentiation."""

        def along(t: Array) -> Array:
            layers = zip(point.weights, velocity, moving, strict=True)
            return self.value(tuple(jnp.where(m, w * jnp.cos(t) + v * jnp.sin(t), w) for w, v, m in layers))

        function: Callable[[Array], Array] = along
        derivatives = []
        for _ in range(order):
            function = _derivative(function)
            derivatives.append(function(jnp.zeros((), point.loss.dtype)))
        return derivatives


def _derivative(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    return lambda t: jax.jvp(function, (t,), (jnp.ones_like(t),))[1]


def _leaves(params: Any) -> Arrays:
    if params is None:
        raise InvalidArgumentError(
            "update() of this transformation needs the parameters: update(grads, state, params)."
        )
    leaves = tuple(jax.tree.leaves(params))
    if not leaves:
        raise InvalidArgumentError("there are no parameters: the tree has no leaves.")
    return leaves


def _require_matrices(name: str, leaves: Arrays) -> None:
    for index, leaf in enumerate(leaves):
        if leaf.ndim != 2:
            raise InvalidArgumentError(
                f"{name} needs matrices (fan_out, fan_in); leaf {index} has shape {leaf.shape}. Use "
                "optax.multi_transform to give other parameters to another transformation."
            )


def _as_updates(params: Any, moved: Sequence[Array]) -> Any:
    leaves, structure = jax.tree.flatten(params)
    return jax.tree.unflatten(structure, [new - old for new, old in zip(moved, leaves, strict=True)])


def _initial_step(leaves: Arrays) -> Array:
    return jnp.zeros((), leaves[0].dtype)


def method1(
    *, order: int = 2, trust_region: float = math.pi / 6, max_halvings: int = 20
) -> optax.GradientTransformationExtraArgs:
    """Method 1: a Hessian-free automatic step along the geodesic on the product of spheres.

    Gamma_i(t) = W_i cos t + mu_i V_i sin t, with t chosen by Algorithm 2       (arXiv 2312.10672, eq. 5-8)

    There is no learning rate. Every leaf keeps its Frobenius norm mu_i. Call it as ``optax.lbfgs`` is called:
    ``update(grads, state, params, value=value, value_fn=f)``, with ``f(params)`` twice differentiable by forward mode.

    Parameters
    ----------
    order : int
        Order of the Taylor polynomial, 2 to 4.
    trust_region : float
        Largest step, in radians.
    max_halvings : int
        How often a step may be halved until the value does not rise; 0 switches the safeguard off.

    Returns
    -------
    optax.GradientTransformationExtraArgs

    Raises
    ------
    InvalidArgumentError
        If a hyperparameter is out of range.
    """
    hyper = specs.get("method1").resolve({"order": order, "trust_region": trust_region, "max_halvings": max_halvings})

    def init(params: Any) -> SphereState:
        leaves = _leaves(params)
        return SphereState(radii(leaves), _initial_step(leaves))

    def update(
        updates: Any,
        state: SphereState,
        params: Any = None,
        *,
        value: Array,
        value_fn: Callable[[Any], Array],
        **extra: Any,
    ) -> tuple[Any, SphereState]:
        del extra  # optax hands every member of a chain the extra arguments of all
        leaves = _leaves(params)
        curve = _ValueCurve(value_fn, jax.tree.structure(params), tuple(jax.tree.leaves(updates)))
        start = _Evaluated(leaves, jnp.asarray(value), curve.gradient)
        accepted, tau, _ = method1_update(curve, start, state.radii, **hyper)
        return _as_updates(params, accepted.weights), SphereState(state.radii, tau)

    return optax.GradientTransformationExtraArgs(init, update)


def _on_spheres(
    name: str, step: Callable[[Arrays, Arrays, SphereState], tuple[Arrays, Array]]
) -> optax.GradientTransformationExtraArgs:
    def init(params: Any) -> SphereState:
        leaves = _leaves(params)
        _require_matrices(name, leaves)
        return SphereState(radii(leaves), _initial_step(leaves))

    def update(updates: Any, state: SphereState, params: Any = None) -> tuple[Any, SphereState]:
        moved, tau = step(tuple(jax.tree.leaves(updates)), _leaves(params), state)
        return _as_updates(params, moved), SphereState(state.radii, tau)

    return optax.with_extra_args_support(optax.GradientTransformation(init, update))


def _check_mean_square(mean_square_input: float) -> None:
    odd = mean_square_input is None or isinstance(mean_square_input, str | bool)
    if odd or not 0.0 < mean_square_input < math.inf:
        raise InvalidArgumentError(f"mean_square_input must be positive and finite; got {mean_square_input!r}.")


def method2(*, mean_square_input: float = 1.0) -> optax.GradientTransformationExtraArgs:
    """Method 2: majorisation-minimisation on the product of spheres, for square loss ||f - y||^2 / 2.

    tau = argmin over [0, pi] of alpha (cos t - 1) - beta sin t + Q (P1(t) - P2)^2 / 2
    (arXiv 2312.10672, eq. 22-23, Algorithm 3)

    Parameters
    ----------
    mean_square_input : float
        Q, the mean of ||x||^2 over the data; 1 for inputs scaled to unit norm.

    Raises
    ------
    InvalidArgumentError
        If Q is not positive; from ``init``, if a leaf is not a matrix.
    """
    _check_mean_square(mean_square_input)

    def step(gradient: Arrays, weights: Arrays, state: SphereState) -> tuple[Arrays, Array]:
        Q = jnp.asarray(mean_square_input, weights[0].dtype)
        return method2_update(gradient, weights, state.radii, Q=Q, guess=state.step_size)

    return _on_spheres("method2", step)


def method2_exp(*, mean_square_input: float = 1.0) -> optax.GradientTransformationExtraArgs:
    """Closed-form variant of method 2 with an exponential majorant.

    tau = log((1 + sqrt(1 + 4 beta / (P^2 Q L))) / 2) / L,  P = prod mu_i      (the authors' code of 2312.10672)

    Parameters and errors as :func:`method2`.
    """
    _check_mean_square(mean_square_input)

    def step(gradient: Arrays, weights: Arrays, state: SphereState) -> tuple[Arrays, Array]:
        Q = jnp.asarray(mean_square_input, weights[0].dtype)
        return method2_exp_update(gradient, weights, state.radii, Q=Q)

    return _on_spheres("method2_exp", step)


def agd() -> optax.GradientTransformationExtraArgs:
    """Automatic gradient descent for bias-free fully-connected networks; no hyperparameters.

    W_k - (eta / L) sqrt(d_k / d_{k-1}) G_k / ||G_k||_F,  eta = log((1 + sqrt(1 + 4 G)) / 2)
    (arXiv 2304.05187, Algorithm 1)

    The leaves must be all weight matrices (d_k, d_{k-1}) of the network: their number is L.
    """

    def init(params: Any) -> StepState:
        leaves = _leaves(params)
        _require_matrices("agd", leaves)
        return StepState(_initial_step(leaves))

    def update(updates: Any, state: StepState, params: Any = None) -> tuple[Any, StepState]:
        moved, eta = agd_update(tuple(jax.tree.leaves(updates)), _leaves(params))
        return _as_updates(params, moved), StepState(eta)

    return optax.with_extra_args_support(optax.GradientTransformation(init, update))


def fromage(*, learning_rate: float = 0.01, p_bound: float | None = None) -> optax.GradientTransformationExtraArgs:
    """Fromage: every leaf changes by the relative amount eta.

    W <- [W - eta (||W||_F / ||g||_F) g] / sqrt(1 + eta^2)        (arXiv 2002.03432, Algorithm 1)

    Parameters
    ----------
    learning_rate : float
        eta, in [0, 1].
    p_bound : float, optional
        Bound on ||W||_F in multiples of its value at ``init``, at least 1.

    Raises
    ------
    InvalidArgumentError
        If a hyperparameter is out of range.
    """
    hyper = specs.get("fromage").resolve({"learning_rate": learning_rate, "p_bound": p_bound})

    def init(params: Any) -> BoundState:
        return BoundState(norm_bounds(_leaves(params), hyper["p_bound"]))

    def update(updates: Any, state: BoundState, params: Any = None) -> tuple[Any, BoundState]:
        gradient = tuple(jax.tree.leaves(updates))
        moved = fromage_update(gradient, _leaves(params), state.norm_bounds, learning_rate=hyper["learning_rate"])
        return _as_updates(params, moved), state

    return optax.with_extra_args_support(optax.GradientTransformation(init, update))


def lars(*, learning_rate: float = 0.01) -> optax.GradientTransformationExtraArgs:
    """LARS as the foil of the Fromage paper: the same relative step without the prefactor, so norms grow.

    W <- W - eta (||W||_F / ||g||_F) g        (arXiv 2002.03432, eq. 5)

    Parameters and errors as :func:`fromage`, without ``p_bound``.
    """
    hyper = specs.get("lars").resolve({"learning_rate": learning_rate})

    def update(updates: Any, state: optax.EmptyState, params: Any = None) -> tuple[Any, optax.EmptyState]:
        moved = lars_update(tuple(jax.tree.leaves(updates)), _leaves(params), **hyper)
        return _as_updates(params, moved), state

    return optax.with_extra_args_support(optax.GradientTransformation(lambda params: optax.EmptyState(), update))
