"""What the transformations share: states, one dtype to compute in, radii of live parameters, updates as differences."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from normbench.errors import InvalidArgumentError
from normbench.jax.norms import norm
from normbench.jax.promotion import promoting
from normbench.jax.transformations.gate import Gate, dtype_of, named_leaves
from normbench.jax.updates.spheres import Arrays, radii

Step = Callable[[Any, Arrays, Arrays, Any], tuple[Arrays, Any]]

LOADED = 1e-3  # a relative change of a norm that is no rounding: the weights were loaded, replaced or cast


class SphereState(NamedTuple):
    """Radii mu_i in the order of the leaves, and the last step size tau in radians."""

    radii: Arrays
    step_size: Array


class BoundState(NamedTuple):
    """Steps taken, the last eta, and of every leaf the largest admissible norm and the one that the last step left.

    The count is None where the learning rate is no schedule, the norms are empty where there is no bound.
    """

    count: Any
    step_size: Array
    norm_bounds: Arrays
    norms: Arrays


class RateState(NamedTuple):
    """Steps taken, None where the learning rate is no schedule, and the last eta."""

    count: Any
    step_size: Array


class StepState(NamedTuple):
    """The last step size."""

    step_size: Array


def transformation(
    init: Callable[[Any], Any], update: Callable[..., tuple[Any, Any]]
) -> optax.GradientTransformationExtraArgs:
    """Init and update as optax takes them, both promoting."""
    return optax.GradientTransformationExtraArgs(promoting(init), promoting(update))


def explicit(gate: Gate, init: Callable[[Any], Any], step: Step) -> optax.GradientTransformationExtraArgs:
    """A transformation from (params, gradient, weights, state) -> (weights, state), which needs the gradient alone."""

    check_state = StateCheck(gate.method, init)

    def checked_init(params: Any) -> Any:
        gate.check_params(params)
        return init(params)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        gate.check_gradients(updates, params)
        check_state(state, params)
        if not jax.tree.leaves(params):
            return updates, state  # a mask hides everything
        dtype = working_dtype(params)
        moved, new = step(params, cast(updates, dtype), cast(params, dtype), state)
        return as_updates(params, moved), as_before(new, state)

    return optax.with_extra_args_support(optax.GradientTransformation(promoting(checked_init), promoting(update)))


def working_dtype(params: Any, *others: Any) -> Any:
    """The widest real floating type of the leaves and of ``others``, at least float32: halves cannot be factorised."""
    leaves = jax.tree.leaves((params, others))
    wide = [leaf for leaf in leaves if jnp.finfo(jnp.result_type(leaf)).bits >= 32]  # eight bits promote to nothing
    return jnp.finfo(jnp.result_type(jnp.float32, *wide)).dtype


def cast(tree: Any, dtype: Any) -> Arrays:
    """The leaves in one precision, complex ones staying complex; masked nodes are none."""
    wide = jnp.promote_types(dtype, jnp.complex64)
    return tuple(jnp.asarray(leaf, wide if jnp.iscomplexobj(leaf) else dtype) for leaf in jax.tree.leaves(tree))


def as_updates(params: Any, moved: Sequence[Array]) -> Any:
    """New weights minus old ones, every leaf in its own dtype."""
    leaves, structure = jax.tree.flatten(params)
    pairs = zip(moved, map(jnp.asarray, leaves), strict=True)
    return jax.tree.unflatten(structure, [(new - old.astype(new.dtype)).astype(old.dtype) for new, old in pairs])


def as_before(new: Any, old: Any) -> Any:
    """A state in the dtypes of the one before, so that it can be carried through a scan."""
    return jax.tree.map(lambda a, b: jnp.asarray(a, jnp.asarray(b).dtype), new, old)


class StateCheck:
    """Whether a state has the nodes and shapes of the one that ``init`` gives; dtypes may differ.

    What init gives is found by tracing it, once for parameters of the same tree, shapes and dtypes: all that it may
    depend on.
    """

    def __init__(self, method: str, init: Callable[[Any], Any]) -> None:
        self._method, self._init = method, init
        self._expected = lru_cache(maxsize=16)(self._traced)  # most transformations see one tree

    def _traced(self, structure: Any, leaves: tuple[tuple[Any, Any], ...]) -> "_Expected":
        shapes = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in leaves]
        found = jax.eval_shape(self._init, jax.tree.unflatten(structure, shapes))
        return _Expected(found, *_nodes_and_shapes(found))

    def __call__(self, state: Any, params: Any) -> None:
        """Raise unless the state is one of these parameters.

        Raises
        ------
        InvalidArgumentError
            With the path of the first entry that differs.
        """
        leaves, structure = jax.tree.flatten(params)
        expected = self._expected(structure, tuple((np.shape(leaf), dtype_of(leaf)) for leaf in leaves))
        if _nodes_and_shapes(state) == expected[1:]:
            return
        wrong = _first_difference(state, expected.state)
        if wrong:
            raise InvalidArgumentError(
                f"{self._method}: the state is not that of these parameters and options: {wrong}. Call init() with "
                "these parameters; restore a stored state into the one that init() gives; of states of several seeds "
                "or parts hand over one, as jax.vmap, optax.chain and optax.partition do."
            )


class _Expected(NamedTuple):
    """Of a state with shapes in place of its arrays: that, its nodes, and the shapes."""

    state: Any
    structure: Any
    shapes: list[Any]


def _nodes_and_shapes(state: Any) -> tuple[Any, list[Any]]:
    """None in place of the shape of what is no array."""
    leaves, structure = jax.tree.flatten(state)
    return structure, [leaf.shape if hasattr(leaf, "dtype") else None for leaf in leaves]


def _first_difference(state: Any, expected: Any) -> str:
    """Where two states differ but for their dtypes; empty if nowhere."""
    if type(state) is not type(expected):
        return f"it is {_kind(state)}, not {_kind(expected)}"
    ours, theirs = (dict(named_leaves(tree)) for tree in (expected, state))
    for path in ours:
        if path not in theirs:
            return f"it has no state{path}"
    for path in theirs:
        if path not in ours:
            return f"it has a state{path}, which these do not need"
    for path, leaf in ours.items():
        if not hasattr(theirs[path], "dtype"):
            return f"state{path} is no array: it is {_kind(theirs[path])}"
        if jnp.shape(theirs[path]) != leaf.shape:
            return f"state{path} has shape {jnp.shape(theirs[path])}, not {leaf.shape}"
    same = jax.tree.structure(state) == jax.tree.structure(expected)
    return "" if same else f"its nodes are {jax.tree.structure(state)}, not {jax.tree.structure(expected)}"


def _kind(thing: Any) -> str:
    return type(thing).__name__


@jax.jit  # one program to compile, not one for every operation
def start_radii(params: Any) -> Arrays:
    """Norms of the leaves, in the order of the leaves."""
    return radii(cast(params, working_dtype(params)))


def live(kept: Sequence[Array], params: Any, weights: Sequence[Array], change: float | Array = 0.0) -> list[Array]:
    """Whether the norm of each leaf is no longer the one ``kept``: by more than rounding and ``change`` of it.

    Rounding is that of the leaf's own dtype. What is not finite counts as changed, so that nothing poisoned is kept.
    """
    found = []
    for size, leaf, weight in zip(kept, jax.tree.leaves(params), weights, strict=True):
        rounding = max(LOADED, 16 * float(jnp.finfo(jnp.result_type(leaf)).eps))
        now = norm(weight)
        found.append(~(jnp.abs(now - size) <= (rounding + change) * now))
    return found


def live_radii(kept: Sequence[Array], params: Any, weights: Sequence[Array]) -> Arrays:
    """The radii to step on: those ``kept``, or where the parameters were loaded or replaced since, their norms now.

    A leaf that was replaced by zeros has radius zero, and rests.
    """
    kept = [jnp.asarray(size, weight.dtype) for size, weight in zip(kept, weights, strict=True)]
    changed = live(kept, params, weights)
    return tuple(jnp.where(new, norm(w), size) for new, w, size in zip(changed, weights, kept, strict=True))


def first_count(learning_rate: Any) -> Array | None:
    """No steps taken, if the learning rate asks for their number."""
    return jnp.zeros((), jnp.int32) if callable(learning_rate) else None


def next_count(count: Array | None) -> Array | None:
    """One step more."""
    return None if count is None else optax.safe_increment(count)


def rate_at(learning_rate: Any, count: Array | None, dtype: Any) -> Array:
    """The learning rate of a step, a number or a schedule of the steps taken, as optax has them."""
    return jnp.asarray(learning_rate(count) if callable(learning_rate) else learning_rate, dtype)
