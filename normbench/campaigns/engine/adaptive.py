"""Has dask make and end the workers of a cluster as jobs come and go, between a minimum and a maximum.

dask's own estimate looks at what its scheduler has, which is never more than one job a worker: what waits is with us.
"""

import inspect
from dataclasses import dataclass
from typing import Any


@dataclass
class Demand:
    """How many jobs are not done, of which each needs a worker; kept up to date while they are.

    Attributes
    ----------
    jobs : int
    """

    jobs: int = 0


@dataclass(frozen=True)
class Limits:
    """How many workers there may be.

    Attributes
    ----------
    minimum, maximum : int
    """

    minimum: int
    maximum: int


def own_class(kind: Any) -> Any:
    """The class by which clusters of this class adapt where none is given; None where they take no other."""
    for base in getattr(kind, "__mro__", ()):
        parameters = inspect.signature(vars(base).get("adapt", _anything)).parameters
        if "Adaptive" in parameters:
            return parameters["Adaptive"].default
        if all(each.kind is not each.VAR_KEYWORD for each in parameters.values()):
            return None  # it hands on nothing that it does not know
    return None


def _anything(**others: Any) -> None:
    """In the place of what a class leaves to its parent."""


def adapt(cluster: Any, limits: Limits, demand: Demand) -> None:
    """Let a cluster follow the demand from now on, until it is closed."""
    follows = type("ByDemand", (_ByDemand, own_class(type(cluster))), {"demand": demand})
    cluster.adapt(Adaptive=follows, minimum=limits.minimum, maximum=limits.maximum)


class _ByDemand:
    """What differs from the class of dask, or of the cluster's package, that it is put before."""

    demand: Demand
    cluster: Any

    async def target(self) -> int:
        """Workers that would have something to do."""
        return self.demand.jobs

    async def scale_down(self, workers: Any) -> None:
        """End workers that have nothing to do; those of one job of a batch system only together, as it ends them."""
        chosen = set(workers)
        specs = getattr(self.cluster, "worker_spec", {})
        jobs = [{f"{name}{suffix}" for suffix in spec.get("group", ())} for name, spec in specs.items()]
        kept = {worker for job in jobs if not job <= chosen for worker in job}
        await super().scale_down([worker for worker in workers if worker not in kept])  # type: ignore[misc]
