"""Which optimiser can train which network, and how."""

from normbench.errors import InvalidArgumentError
from normbench.networks import Network
from normbench.specs import OptimiserSpec


def check_support(spec: OptimiserSpec, network: Network, *, batch_size: int | None = None) -> None:
    """Raise unless the optimiser can train the network on such batches.

    Raises
    ------
    InvalidArgumentError
        If it needs operator norms and a layer has none, or the whole training set and gets a part.
    """
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
