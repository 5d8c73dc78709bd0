"""Which optimiser can train which network, and how."""

import math

from normbench.errors import InvalidArgumentError, argument
from normbench.networks import Loss, Network
from normbench.specs import OptimiserSpec
from normbench.specs.parametrisations import resolve

MOST_WEIGHTS = 5_000  # of least squares: the digits have 6,592, and an iteration of them takes 12 s


def check_support(
    spec: OptimiserSpec,
    network: Network,
    *,
    loss: Loss = Loss.SQUARE,
    batch_size: int | None = None,
    parametrisation: str | None = None,
    bounded: bool = False,
) -> None:
    """Raise unless the optimiser can train the network on such batches, through the parametrisation and at a bound.

    Raises
    ------
    InvalidArgumentError
        If it needs operator norms and a layer has none, the whole training set and gets a part, least squares and gets
        another loss or too many weights, or does not run through the parametrisation, see
        :func:`normbench.specs.parametrisations.resolve`.
    """
    resolve(spec, parametrisation, network, bounded=bounded)
    if spec.least_squares:
        _check_least_squares(spec, network, loss)
    if batch_size is not None and spec.full_batch:
        raise InvalidArgumentError(
            f"{spec.key} compares losses between iterations and needs the whole training set; got "
            f"{argument('batch_size', batch_size)}. Leave it out."
        )
    if not spec.bounded:
        return
    try:
        _ = network.gain
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"{spec.key} does not train this network: {error}") from error


def _check_least_squares(spec: OptimiserSpec, network: Network, loss: Loss) -> None:
    """Raise unless the loss is a sum of squares of what samples give one by one, of few enough weights."""
    if loss is not Loss.SQUARE or network.mixes_samples:
        what = f"the loss {loss}" if loss is not Loss.SQUARE else "a network that mixes the samples of a batch"
        raise InvalidArgumentError(
            f"{spec.key} needs the square loss of samples one by one; got {what}. Choose another optimiser."
        )
    weights = sum(map(math.prod, network.weight_shapes))
    if weights > MOST_WEIGHTS:
        raise InvalidArgumentError(
            f"{spec.key} needs a matrix of weights by weights, and does so up to {MOST_WEIGHTS:,} of them; got "
            f"{weights:,}. Choose a smaller network or another optimiser."
        )
