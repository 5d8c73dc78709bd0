"""A cluster as a YAML file says: which class makes it, with what, and how many workers.

::

    cluster: dask_jobqueue.SLURMCluster   # or dask_kubernetes.operator.KubeCluster, coiled.Cluster, ...
    workers: 20                           # or {minimum: 1, maximum: 20}, as many as there are runs for
    options:                              # of the class
      cores: 1
      memory: 4GiB
      walltime: "04:00:00"
"""

import signal
from collections.abc import Hashable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from normbench.campaigns.engine.adaptive import Demand, Limits, adapt, own_class
from normbench.campaigns.engine.reasons import in_full, last_line
from normbench.campaigns.engine.replacements import forget_refused
from normbench.errors import InvalidArgumentError, WorkerError, argument
from normbench.specs import suggestion

_KEYS = ("cluster", "workers", "options")
_LIMITS = ("minimum", "maximum")
_EXAMPLE = "Example: cluster: dask_jobqueue.SLURMCluster, workers: 20, options: {cores: 1, memory: 4GiB}."


def made(path: Path, demand: Demand) -> Any:
    """The cluster that a file describes, with its workers asked for; end it with ``close``.

    Parameters
    ----------
    path : Path
    demand : Demand
        What the workers follow where the file gives a minimum and a maximum; the first ones are asked for at once.

    Raises
    ------
    InvalidArgumentError
        If the file cannot be read, a key is missing, unknown or of the wrong type, or the class cannot be imported.
    WorkerError
        If the class refuses its options or makes no cluster.
    """
    said = read(path)
    kind, workers = _imported(path, said["cluster"]), said["workers"]
    if isinstance(workers, Limits) and own_class(kind) is None:
        raise InvalidArgumentError(
            f"{argument('cluster')} {path}: workers of {said['cluster']} cannot follow the runs that wait, as its "
            "adapt takes no class of dask's Adaptive. Write a number: workers: 20."
        )
    cluster = None
    try:
        cluster = kind(**said["options"])
        if isinstance(workers, Limits):
            _scale(cluster, min(max(workers.minimum, demand.jobs), workers.maximum))
            adapt(cluster, workers, demand)
        else:
            _scale(cluster, workers)
    except Exception as error:
        if cluster is not None:
            forget_refused(cluster)
            with suppress(Exception):
                cluster.close()
        raise WorkerError(
            f"{argument('cluster')} {path}: {said['cluster']} with these options gives no workers: {in_full(error)}."
        ) from error
    return cluster


def _scale(cluster: Any, workers: int) -> None:
    """Ask for the workers; where jobs are submitted for them, see that they are, but do not wait until they run."""
    from distributed import SpecCluster

    if not isinstance(cluster, SpecCluster):
        cluster.scale(workers)
        return
    own: Any = cluster.loop
    loop = own.asyncio_loop
    loop.call_soon_threadsafe(loop.set_exception_handler, lambda loop, context: None)  # an error is raised below
    submit = cluster._correct_state
    # scale does it in another thread, which prints what goes wrong and goes on
    vars(cluster)["_correct_state"] = lambda: None
    cluster.scale(workers)
    del vars(cluster)["_correct_state"]
    cluster.sync(submit)


def read(path: Path) -> dict[str, Any]:
    """Its three entries, checked; errors as :func:`made`."""
    import yaml

    class EachOnce(yaml.SafeLoader):
        """Of a key that stands twice YAML would take the last."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
            keys = [key.value for key, _ in node.value]
            if twice := [key for key in keys if keys.count(key) > 1]:
                raise yaml.YAMLError(f"{twice[0]} stands twice")
            return super().construct_mapping(node, deep)

    try:
        said = yaml.load(path.read_text(encoding="utf-8-sig"), EachOnce)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidArgumentError(
            f"{argument('cluster')} {path} cannot be read: {last_line(error)}. {_EXAMPLE}"
        ) from error
    if not isinstance(said, dict):
        raise InvalidArgumentError(f"{argument('cluster')} {path} names nothing. {_EXAMPLE}")
    for key in said:
        if key not in _KEYS:
            meant = suggestion(str(key), dict.fromkeys(_KEYS))
            raise InvalidArgumentError(
                f"{argument('cluster')} {path}: {key!r} is none of {', '.join(_KEYS)}.{meant} {_EXAMPLE}"
            )
    _check(path, said, "cluster", str, "the full name of a class")
    if not all(part.isidentifier() for part in said["cluster"].split(".")) or "." not in said["cluster"]:
        raise InvalidArgumentError(
            f"{argument('cluster')} {path}: cluster must be the full name of a class, its module before it; got "
            f"{said['cluster']!r}. {_EXAMPLE}"
        )
    said["workers"] = _workers(path, said)
    if said.get("options") is None:
        said["options"] = {}
    _check(path, said, "options", dict, "names and values")
    return said


def _workers(path: Path, said: dict[str, Any]) -> int | Limits:
    """How many, or between how many."""
    limits = said.get("workers")
    if not isinstance(limits, dict):
        _check(path, said, "workers", int, "a number of at least 1, or {minimum: 1, maximum: 20}")
        return int(said["workers"])
    if set(limits) != set(_LIMITS):
        raise InvalidArgumentError(
            f"{argument('cluster')} {path}: workers must have {' and '.join(_LIMITS)}, as in workers: "
            f"{{minimum: 1, maximum: 20}}; got {limits!r}."
        )
    _check(path, limits, "minimum", int, "a number of at least 0", least=0)
    _check(path, limits, "maximum", int, "a number of at least 1")
    if limits["minimum"] > limits["maximum"]:
        raise InvalidArgumentError(f"{argument('cluster')} {path}: minimum must not be above maximum; got {limits!r}.")
    return Limits(**limits)


def _check(path: Path, said: dict[str, Any], key: str, kind: type, what: str, least: int = 1) -> None:
    value = said.get(key)
    if type(value) is not kind or (isinstance(value, int) and value < least):
        raise InvalidArgumentError(f"{argument('cluster')} {path}: {key} must be {what}; got {value!r}. {_EXAMPLE}")


@contextmanager
def _unchanged_handlers() -> Iterator[None]:
    """What answers Ctrl-C stays: dask_jobqueue, when it is loaded, has it end the program at once, with exit code 0."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)


def _imported(path: Path, name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    try:
        with _unchanged_handlers():
            return getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        package = module.partition(".")[0].replace("_", "-") or name
        raise InvalidArgumentError(
            f"{argument('cluster')} {path}: {name} cannot be imported: {last_line(error)}. Install its package "
            f"(pip install {package}), or write the full name of the class. {_EXAMPLE}"
        ) from error
