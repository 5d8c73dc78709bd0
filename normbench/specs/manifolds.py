"""Which entries of a weight form manifolds, at which scale, and initial weights on them (FG-SGD, sections 3 and 4).

NumPy only and drawn by seed, so that every backend has the same index sets and starts from the same bits.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import prod, sqrt

import numpy as np

from normbench.errors import InvalidArgumentError
from normbench.numbers import count
from normbench.specs.fgsgd import FGSGD
from normbench.specs.values import Value

Arrays = tuple[np.ndarray, ...]
Shape = tuple[int, ...]

PARTITION_STREAM = 5  # seeds the index sets apart from the splits, weights and batches


@dataclass(frozen=True, eq=False)
class Partition:
    """The index sets of one layer: every pair of an output set and an input set is a product of manifolds (POM).

    Attributes
    ----------
    outputs, inputs : tuple of int arrays
        Disjoint, ascending sets of channels that together are all channels of their side.
    """

    outputs: Arrays
    inputs: Arrays


@dataclass(frozen=True, eq=False)
class Blocks:
    """The POMs of one layer that have the same numbers of channels, for one indexing of all of them.

    ``weight[rows[:, :, None], columns[:, None, :]]`` has shape (poms, outputs, inputs, ...).

    Attributes
    ----------
    rows : int array, shape (poms, outputs)
    columns : int array, shape (poms, inputs)
    """

    rows: np.ndarray
    columns: np.ndarray


def check_shape(shape: Shape, name: str) -> None:
    """Raise unless a weight of that shape has components.

    Raises
    ------
    InvalidArgumentError
        If the shape is neither a matrix nor a kernel; ``name`` says whose it is.
    """
    if len(shape) not in (2, 4):
        raise InvalidArgumentError(
            f"FG-SGD needs matrices (fan_out, fan_in) or kernels (out, in, height, width); {name} has shape "
            f"{tuple(shape)}. Give biases and other parameters to another optimiser."
        )


def is_matrix(shape: Shape) -> bool:
    """Whether a block of channels is one component: matrices and kernels of one pixel; else each kernel is its own."""
    return prod(shape[2:]) == 1


@lru_cache(maxsize=1024)
def partition(shape: Shape, *, grouping: str, groups: int, partition_seed: int, layer: int) -> Partition:
    """Index sets of one layer, drawn without replacement (Definition 1 and the schemes below it).

    Parameters
    ----------
    shape : tuple of int
        (fan_out, fan_in) or (out, in, height, width).
    grouping : str
        "pi" splits the input channels, "po" the output channels, "pio" both.
    groups : int
        Sets per split side, of nearly equal size; as many as there are channels if these are fewer.
    partition_seed : int
    layer : int
        Place of the weight in its network: each layer has sets of its own.
    """
    rng = np.random.default_rng([partition_seed, PARTITION_STREAM, layer])
    outputs, inputs = (rng.permutation(channels) for channels in shape[:2])
    return Partition(
        _sets(outputs, groups if grouping in ("po", "pio") else 1),
        _sets(inputs, groups if grouping in ("pi", "pio") else 1),
    )


def _sets(drawn: np.ndarray, groups: int) -> Arrays:
    sets = tuple(np.sort(part) for part in np.array_split(drawn, min(groups, len(drawn))))
    for part in sets:
        part.flags.writeable = False  # they are cached
    return sets


@lru_cache(maxsize=1024)
def blocks(shape: Shape, *, grouping: str, groups: int, partition_seed: int, layer: int) -> tuple[Blocks, ...]:
    """The POMs of :func:`partition` in stacks of equal shape, at most four of them; parameters as there."""
    sets = partition(shape, grouping=grouping, groups=groups, partition_seed=partition_seed, layer=layer)
    alike: dict[tuple[int, int], list[tuple[np.ndarray, np.ndarray]]] = {}
    for rows in sets.outputs:
        for columns in sets.inputs:
            alike.setdefault((len(rows), len(columns)), []).append((rows, columns))
    return tuple(Blocks(*map(np.stack, zip(*pairs, strict=True))) for pairs in alike.values())


def scale(shape: Shape, *, positions: int = 1) -> float:
    """gamma = sqrt(1 / (b + b_hat))        (eq. 2)

    Parameters
    ----------
    shape : tuple of int
        b is the fan-in: input channels times height times width.
    positions : int
        Pixels of the output map, counted for kernels alone; b_hat is the number of output channels times them.
    """
    b, b_hat = prod(shape[1:]), shape[0] * (positions if len(shape) == 4 else 1)
    return 1.0 / sqrt(b + b_hat)


def initial_weights(
    weights: Arrays,
    *,
    manifold: str,
    grouping: str,
    groups: int,
    partition_seed: int,
    positions: tuple[int, ...],
) -> Arrays:
    """Drawn weights projected onto their manifolds, scaled by gamma (Algorithm 1, line 2; lambda = 1).

    Parameters
    ----------
    weights : tuple of arrays, shape (fan_out, fan_in) or (out, in, height, width) each
        All weights of a network, in order.
    manifold, grouping, groups, partition_seed
        See :data:`normbench.specs.fgsgd.FGSGD`.
    positions : tuple of int
        Pixels of the output map of each layer; 1 where it is no convolution.

    Raises
    ------
    InvalidArgumentError
        If a weight is neither a matrix nor a kernel, a component of it is zero or not finite, or an option is unknown
        or out of range.
    """
    drawn: dict[str, Value] = {"grouping": grouping, "groups": groups, "partition_seed": partition_seed}
    FGSGD.resolve({"manifold": manifold} | drawn)
    positions = tuple(count("positions", pixels) for pixels in positions)
    if len(positions) != len(weights):
        raise InvalidArgumentError(
            f"positions must hold one number for each of the {len(weights)} weights; got {len(positions)}."
        )
    projected = []
    for layer, (weight, pixels) in enumerate(zip(weights, positions, strict=True)):
        check_shape(weight.shape, f"weight {layer}")
        sets = partition(weight.shape, grouping=grouping, groups=groups, partition_seed=partition_seed, layer=layer)
        projected.append(scale(weight.shape, positions=pixels) * nearest(weight, sets, manifold, f"weight {layer}"))
    return tuple(projected)


def nearest(weight: np.ndarray, sets: Partition, manifold: str, name: str) -> np.ndarray:
    """The point of the unscaled manifolds that is nearest to ``weight``; errors as :func:`initial_weights`."""
    if not is_matrix(weight.shape):
        return _nearest_component(weight, manifold, name)
    matrix = weight.reshape(weight.shape[:2])
    point = np.empty_like(matrix)
    for rows in sets.outputs:
        for columns in sets.inputs:
            index = np.ix_(rows, columns)
            point[index] = _nearest_component(matrix[index], manifold, name)
    return point.reshape(weight.shape)


def _nearest_component(component: np.ndarray, manifold: str, name: str) -> np.ndarray:
    """Of each matrix in the last two axes: W / ||W||_F, the polar factor U V^T, or every column by its norm."""
    if not np.isfinite(component).all():
        raise InvalidArgumentError(f"a component of {name} holds NaN or infinity. Initialise or load it anew.")
    if manifold == "stiefel":
        U, _, Vt = np.linalg.svd(component, full_matrices=False)
        sizes = np.linalg.norm(component, axis=(-2, -1))
        point = U @ Vt
    else:
        sizes = np.linalg.norm(component, axis=(-2, -1) if manifold == "sphere" else -2, keepdims=True)
        point = component / np.where(sizes > 0, sizes, 1.0)
    if not sizes.all():
        raise InvalidArgumentError(
            f"a component of {name} is zero, which is near no point of a manifold. Initialise it."
        )
    return point
