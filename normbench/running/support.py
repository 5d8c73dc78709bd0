"""Which optimiser can train which network, and how."""

from normbench.errors import InvalidArgumentError
from normbench.networks import Network
from normbench.specs import OptimiserSpec
from normbench.specs.parametrisations import resolve


def check_support(
    spec: OptimiserSpec,
    network: Network,
    *,
    batch_size: int | None = None,
    parametrisation: str | None = None,
    bounded: bool = False,
) -> None:
    """Raise unless the optimiser can train the network on such batches, through the parametrisation and at a bound.

    Raises
    ------
    InvalidArgumentError
        If it needs operator norms and a layer has none, the whole training set and gets a part, or does not run through
        the parametrisation, see :func:`normbench.specs.parametrisations.resolve`.
    """
    resolve(spec, parametrisation, network, bounded=bounded)
    if batch_size is not None and spec.full_batch:
        raise InvalidArgumentError(
            f"{spec.key} compares losses between iterations and needs the whole training set; got batch_size "
            f"{batch_size}. Leave batch_size out."
        )
    if not spec.bounded:
        return
    try:
        _ = network.gain
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"{spec.key} does not train this network: {error}") from error
