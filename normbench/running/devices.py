"""Over how many devices the samples of a run are spread, and what cannot be spread.

Every device computes the losses, gradients and curvatures of its share of the samples at the same weights, and these
are summed: whatever an optimiser does with them is done once. On a GPU a device is a GPU, on a processor a share with
threads of its own.
"""

from normbench.backends import Backend, every
from normbench.errors import InvalidArgumentError, argument
from normbench.networks import Network

MOST = 256


def check_devices(devices: int, *, backend: Backend, network: Network, batch_size: int | None) -> None:
    """Raise unless a run can be spread over so many devices.

    Raises
    ------
    InvalidArgumentError
        If there are too many of them, the backend has one only, or the network or a batch cannot be taken apart.
    """
    if devices == 1:
        return
    if devices > MOST:
        raise InvalidArgumentError(f"{argument('devices')} must be at most {MOST}; got {devices}.")
    if not backend.spreads:
        others = " or ".join(other.name for other in every() if other.spreads)
        raise InvalidArgumentError(
            f"backend {backend.name!r} computes on one device; got {argument('devices', devices)}. Take backend "
            f"{others}, or leave it out."
        )
    if network.mixes_samples:
        raise InvalidArgumentError(
            f"this network normalises by the statistics of the whole batch, which no share of it has; got "
            f"{argument('devices', devices)}. Leave it out."
        )
    if batch_size is not None:
        check_samples(devices, batch_size, "a batch")


def check_samples(devices: int, samples: int, what: str = "the training set") -> None:
    """Raise where a device would have nothing to do.

    Raises
    ------
    InvalidArgumentError
    """
    if devices > samples:
        raise InvalidArgumentError(f"devices must be at most {samples}, the samples of {what}; got {devices}.")
