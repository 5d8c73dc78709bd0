"""How long a run will take, roughly: what the longest-first order of a campaign and its progress go by."""

from normbench import backends
from normbench.errors import InvalidArgumentError
from normbench.problems import tasks
from normbench.running.request import RunRequest

_STARTUP_COST = 5e9  # a run's fixed share in units of `estimated_cost`: about the price of 20 small iterations
_PER_OUTPUT = 50.0  # what it costs to write and read a number, in multiplications: small networks do little else


def estimated_cost(request: RunRequest) -> float:
    """Rough duration of a run in arbitrary units: iterations times samples times the network's own count of operations.

    Of declarations alone, no data are read. A network that cannot be built costs next to nothing, as its run fails.
    """
    task = tasks.get(request.task)
    try:
        network = task.declared_network(request.layers)
        work = network.multiply_adds + _PER_OUTPUT * network.outputs
    except InvalidArgumentError:
        return _STARTUP_COST
    samples = request.batch_size or task.source_info.samples
    each = samples / request.devices
    return _STARTUP_COST + backends.get(request.backend).slowness * request.iterations * each * work
