"""Functions of the parameters to hand to method 1 as ``value_fn``: over a batch in chunks, and under a mask."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from normbench.errors import InvalidArgumentError
from normbench.jax.transformations.gate import beside, is_masked


def accumulated(loss: Callable[[Any, Any], Array], batches: Any) -> Callable[[Any], Array]:
    """The mean of ``loss(params, batch)`` over batches of equal size, with the memory of one.

    f(params) = (1/n) sum_k loss(params, batches[k])

    Differentiable to any order in either mode; reverse mode keeps no intermediate values but computes them again.

    Parameters
    ----------
    loss : function of (params, batch)
        A mean over its batch, so that the result is the mean over all samples.
    batches : tree of arrays, shape (n, samples of one batch, ...)
        All batches, stacked: ``x.reshape(n, -1, *x.shape[1:])``.

    Raises
    ------
    InvalidArgumentError
        If loss is no function, or the arrays have no leading axis of one length n >= 1.
    """
    _check_callable("loss", loss)
    shapes = [jnp.shape(leaf) for leaf in jax.tree.leaves(batches)]
    lengths = {shape[0] if shape else 0 for shape in shapes}
    if len(lengths) != 1 or 0 in lengths:
        raise InvalidArgumentError(f"batches must be arrays stacked along one leading axis; got shapes {shapes}.")
    part = jax.checkpoint(loss, prevent_cse=False)  # a scan keeps the computations apart already
    return lambda params: jnp.mean(jax.lax.map(lambda batch: part(params, batch), batches))


def unmasked(value_fn: Callable[..., Array], params: Any) -> Callable[..., Array]:
    """``value_fn`` of all parameters, as a function of a tree in which a mask hides some.

    ``optax.partition`` and ``optax.masked`` show a transformation its own leaves and ``optax.MaskedNode`` elsewhere.
    Method 1 evaluates what it is shown: the hidden leaves keep their values in ``params`` while it searches.

    Parameters
    ----------
    value_fn : function of all parameters
    params : tree
        All parameters at the start of the step.

    Raises
    ------
    InvalidArgumentError
        If value_fn is no function; when it is called, if ``params`` is another tree than the one that the mask shows.
    """

    _check_callable("value_fn", value_fn)

    @functools.wraps(value_fn)  # so that its further arguments are handed over by name
    def shown_only(masked: Any, **extra: Any) -> Array:
        shown, whole, structure = beside("what the mask shows", masked, params)
        pairs = zip(shown, whole, strict=True)
        return value_fn(jax.tree.unflatten(structure, [p if is_masked(s) else s for s, p in pairs]), **extra)

    return shown_only


def _check_callable(name: str, function: Any) -> None:
    if not callable(function):
        raise InvalidArgumentError(f"{name} must be a function of the parameters; got {function!r}.")
