"""What a user asks for, on the command line or in Python, and the one place that makes a plan of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from typing import Any

from normbench import specs
from normbench.backends import usable, usual
from normbench.campaigns.plan import Plan, bound_trials, sweep
from normbench.campaigns.samples import Samples
from normbench.campaigns.search import check_budget, tuning_seeds
from normbench.campaigns.settings import Settings
from normbench.campaigns.usual import PEERS, TASK, TUNE, TUNED
from normbench.data.dataset import Dataset
from normbench.data.splits import VALIDATION
from normbench.errors import BackendUnavailableError, InvalidArgumentError, argument
from normbench.networks import Network
from normbench.networks.families import check_layers, perceptron_layers
from normbench.problems.task import Task
from normbench.problems.tasks import get
from normbench.running.feed import is_fed
from normbench.running.request import Asked, axes
from normbench.running.sizes import check_sizes, check_split
from normbench.running.support import check_support

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Runs as a user asks for them; what is empty or None is as usual.

    Attributes
    ----------
    tasks, optimisers, backends : sequence of str
    seeds : sequence of int
    lipschitz, output_scale : sequence of float
        Each is run.
    layers : tuple of int, or None
    width, depth : int or None
        Of a perceptron, in the place of ``layers``.
    tune : str
        A key of :data:`normbench.campaigns.usual.TUNE`.
    tuning_budget : int or None
    choose_bound : bool
    settings : sequence of str
        ``name=value`` or ``optimiser.name=value``.
    grids : sequence of str
        ``name=value,value``, or with the optimiser in front.
    axes : mapping
        Values of other fields of a request, by name; None for what is not said.
    """

    tasks: Sequence[str] = ()
    optimisers: Sequence[str] = ()
    backends: Sequence[str] = ()
    seeds: Sequence[int] = range(3)
    lipschitz: Sequence[float] = ()
    output_scale: Sequence[float] = ()
    layers: tuple[int, ...] | None = None
    width: int | None = None
    depth: int | None = None
    tune: str = TUNED
    tuning_budget: int | None = None
    choose_bound: bool = False
    settings: Sequence[str] = ()
    grids: Sequence[str] = ()
    axes: Mapping[str, Any] = field(default_factory=dict)


def plan_of(wanted: Wanted, backends: Sequence[str], samples: Samples, say: Say) -> Plan:
    """The plan that makes what is asked for, checked against data, networks and memory before anything starts.

    Parameters
    ----------
    wanted : Wanted
    backends : sequence of str
        From :func:`chosen_backends`.
    samples : Samples
    say : callable
        Receives a line of text on what is left out.

    Raises
    ------
    InvalidArgumentError
        If something does not go together.
    DataError, DownloadError
        If the data cannot be had.
    """
    check_network(wanted)
    check_budget(wanted.tuning_budget)
    _check_searched(wanted)
    bounds = tuple(dict.fromkeys(wanted.lipschitz))
    if wanted.choose_bound:
        _check_several(bounds)
    optimisers = optimisers_of(wanted, backends)
    settings = Settings.read(wanted.settings, wanted.grids, optimisers)
    settings.adopt_grids()
    seeds, plan = wanted.seeds, Plan(())
    for task in dict.fromkeys(wanted.tasks or (TASK,)):
        entry = get(task)
        dataset = samples.of(task)
        layers = _layers(entry, dataset, wanted)
        network = entry.network(dataset, layers)
        asked = Asked(task=task, layers=layers, optimiser="", backend="", seed=0, **_said(wanted.axes, entry))
        fits = partial(check_split, dataset, split=asked.split, batch_size=asked.batch_size, devices=asked.devices)
        fits(seeds=seeds, judged_on=asked.judged_on)
        iterations = asked.iterations or entry.iterations or 1
        fed = network.input_shape if is_fed(asked.augmentation, dataset.inputs) else None
        check_sizes(network.weight_shapes, iterations=iterations, batch_size=asked.batch_size, fed=fed)
        named = _supported(optimisers, entry, network, asked, say, bounded=bool(bounds))
        if wanted.choose_bound or any(specs.get(key).tuned for key in named):
            fits(seeds=tuning_seeds(seeds), judged_on=VALIDATION)
        for bound, scale in product(bounds or (None,), dict.fromkeys(wanted.output_scale) or (None,)):
            plan += sweep(
                replace(asked, lipschitz=bound, output_scale=scale),
                optimisers=named,
                backends=backends,
                seeds=seeds,
                tune=TUNE[wanted.tune],
                tuning_budget=wanted.tuning_budget,
                given=settings.values,
            )
    return plan + bound_trials(plan) if wanted.choose_bound else plan


def chosen_backends(named: Sequence[str], say: Say) -> list[str]:
    """Backends to run on: the named ones, all of which must be there, or else the usual ones that are.

    Raises
    ------
    BackendUnavailableError
        If a named backend is missing, or none of the usual ones is there.
    """
    if named:
        return [usable(name).name for name in dict.fromkeys(named)]
    missing = {backend.name: backend.missing() for backend in usual()}
    chosen = [name for name, reason in missing.items() if not reason]
    if not chosen:
        raise BackendUnavailableError(f"no backend can be used. Install one: {'; '.join(missing.values())}.")
    for name, reason in missing.items():
        if reason:
            say(f"Left out: backend {name!r} cannot be used: {reason}")
    return chosen


def check_network(wanted: Wanted) -> None:
    """Raise unless the network is given in one way: by layers, by width and depth, or not at all.

    Raises
    ------
    InvalidArgumentError
    """
    layers, width, depth = wanted.layers, wanted.width, wanted.depth
    if layers is not None and (width is not None or depth is not None):
        raise InvalidArgumentError(
            f"give either {argument('layers')} or {argument('width')} and {argument('depth')}, not both."
        )
    if (width is None) != (depth is None):
        given, absent = ("width", "depth") if depth is None else ("depth", "width")
        example = f"{argument('width', 25)} and {argument('depth', 4)}"
        raise InvalidArgumentError(f"{argument(given)} needs {argument(absent)} beside it, such as {example}.")


def _said(given: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """The values that are given, with those of the task where its own stand for what is not."""
    own = {axis.name: getattr(task, axis.name) for axis in axes() if axis.of_task}
    return own | {name: value for name, value in given.items() if value is not None}


def _check_searched(wanted: Wanted) -> None:
    """Raise where something is said of searches, and there are none."""
    if wanted.tuning_budget is not None and not TUNE[wanted.tune]:
        raise InvalidArgumentError(
            f"{argument('tuning_budget', wanted.tuning_budget)} is what searches may spend, and "
            f"{argument('tune', wanted.tune)} searches nothing. Leave one of them out."
        )


def _check_several(bounds: Sequence[float]) -> None:
    """Raise where there is no bound to choose."""
    if len(bounds) < 2:
        given = f"L = {bounds[0]:g} alone" if bounds else "no bound"
        raise InvalidArgumentError(
            f"{argument('choose_bound')} chooses among several bounds; got {given}. Give several of "
            f"{argument('lipschitz')}, such as 10 and 40, or leave {argument('choose_bound')} out."
        )


def optimisers_of(wanted: Wanted, backends: Sequence[str]) -> list[str]:
    """Those that are asked for, with the name of the group replaced by those of its members that a backend has."""
    peers = [key for key in specs.PEERS if any(map(specs.get(key).runs_on, backends))]
    named = wanted.optimisers or specs.OWN
    return list(dict.fromkeys(key for name in named for key in (peers if name == PEERS else [name])))


def _supported(
    optimisers: Sequence[str], task: Task, network: Network, asked: Asked, say: Say, *, bounded: bool
) -> list[str]:
    """The optimisers that can train the network; who is left out is said, and someone must remain."""
    found, reasons = [], []
    for spec in map(specs.get, optimisers):
        try:
            check_support(
                spec,
                network,
                loss=task.loss,
                batch_size=asked.batch_size,
                parametrisation=asked.parametrisation,
                bounded=bounded,
            )
            found.append(spec.key)
        except InvalidArgumentError as error:
            reasons.append(str(error))
    if not found:
        raise InvalidArgumentError(reasons[0])
    for reason in reasons:
        say(f"{task.key}: left out: {reason}")
    return found


def _layers(task: Task, dataset: Dataset, wanted: Wanted) -> tuple[int, ...]:
    """Widths of the network for a task; the outer two are checked against the data before anything starts."""
    inputs, *_, outputs = default = task.layers(dataset)
    if wanted.width is not None and wanted.depth is not None:
        if task.family != "perceptron":
            raise InvalidArgumentError(
                f"{argument('width')} and {argument('depth')} are for perceptrons; task {task.key!r} is {task.family}. "
                f"Give {argument('layers')}, such as "
                f"{','.join(map(str, default))}."
            )
        return perceptron_layers(width=wanted.width, depth=wanted.depth, inputs=inputs, outputs=outputs)
    if wanted.layers is None:
        return default
    check_layers(wanted.layers)
    if (wanted.layers[0], wanted.layers[-1]) != (inputs, outputs):
        raise InvalidArgumentError(
            f"{argument('layers')} {','.join(map(str, wanted.layers))} does not fit task {task.key!r}, which has "
            f"{inputs} inputs and {outputs} outputs. Begin with {inputs} and end with {outputs}."
        )
    return wanted.layers
