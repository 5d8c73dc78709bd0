"""Which runs a campaign consists of: the fixed ones, searches and their use, and trials that judge bounds."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from normbench import specs
from normbench.backends import get as get_backend
from normbench.backends import names as backend_names
from normbench.backends import usable as usable_backend
from normbench.campaigns.coordinate import CoordinateSearch
from normbench.campaigns.search import WHERE, Find, Search, check_budget, judging
from normbench.errors import InvalidArgumentError
from normbench.records.record import UNTUNED, Tuned
from normbench.running.request import Asked, RunRequest, setting
from normbench.specs import LEARNING_RATE, Geometry, Value
from normbench.specs.parametrisations import PARAMETRISATIONS

AnySearch = Search | CoordinateSearch


@dataclass(frozen=True)
class Plan:
    """Runs to make, and searches to make and then to use; of the runs those at values of a user's that are searched."""

    requests: tuple[RunRequest, ...]
    searches: tuple[AnySearch, ...] = ()
    given: tuple[RunRequest, ...] = ()

    def __add__(self, other: "Plan") -> "Plan":
        return Plan(self.requests + other.requests, self.searches + other.searches, self.given + other.given)

    @property
    def devices(self) -> int:
        """The most over which one of the runs is spread."""
        return max((request.devices for request in self.requests), default=1)

    def without_repeats(self) -> "Plan":
        """The same plan, every run and every search of it once."""
        once = dict.fromkeys
        return Plan(tuple(once(self.requests)), tuple(once(self.searches)), tuple(once(self.given)))

    def runs(self, find: Find) -> dict[RunRequest, Tuned]:
        """Every run that is known by now, each once, with what the choice of its value has cost.

        Parameters
        ----------
        find : callable
            From a run to its record, or None.
        """
        found = dict.fromkeys(self.requests, UNTUNED)
        chosen: dict[RunRequest, Tuned] = {}
        for search in self.searches:
            found |= {trial: UNTUNED for stage in search.stages(find) for trial in stage.trials}
            chosen |= search.chosen(find)
        return found | chosen

    def open_searches(self, find: Find) -> list[AnySearch]:
        """Those that wait for a trial, and so have chosen nothing yet."""
        return [search for search in self.searches if search.stages(find)[-1].state.waiting]


def sweep(
    asked: Asked,
    *,
    optimisers: Iterable[str],
    backends: Iterable[str],
    seeds: Sequence[int],
    tune: int = 1,
    tuning_budget: int | None = None,
    given: Mapping[str, Mapping[str, Value]] = MappingProxyType({}),
) -> Plan:
    """Every optimiser over the same seeds, at its defaults and, where it has one to tune, at its best value.

    An optimiser is left out on those of the backends that do not implement it; at least one must. A schedule is for
    those that have a learning rate; the others run without.
    A backend that does not have the dtype or the device gets its own.

    Parameters
    ----------
    asked : Asked
        What the runs have in common; its own optimiser, backend and seed do not count.
    optimisers, backends : iterable of str
    seeds : sequence of int
        Those that are judged; a search chooses on others.
    tune : int
        Hyperparameters of an optimiser that are searched: none, 1, or 2 where it declares a second.
    tuning_budget : int, optional
        Most trial runs of each search, see :class:`normbench.campaigns.search.Search`, or of the two for an optimiser
        together, see :class:`normbench.campaigns.coordinate.CoordinateSearch`.
    given : mapping of str to mapping
        Hyperparameters of some of the optimisers that are not at their defaults; what is searched is run at the value
        given, too, and a second one that is given is not searched.

    Raises
    ------
    InvalidArgumentError
        If a name is unknown or a value is out of range.
    PlugInError
        If an optimiser of another package cannot be imported or made.
    """
    check_budget(tuning_budget)
    wanted = {get_backend(name).name for name in backends}
    chosen = [name for name in backend_names() if name in wanted]
    runs: list[RunRequest] = []
    searches: list[AnySearch] = []
    told: list[RunRequest] = []
    for optimiser in dict.fromkeys(optimisers):
        spec, values = specs.get(optimiser), given.get(optimiser, {})
        has_rate = LEARNING_RATE in {h.name for h in spec.hyperparameters}
        own = replace(
            asked,
            optimiser=optimiser,
            schedule=asked.schedule if has_rate else "constant",
            hyperparameters=asked.hyperparameters | dict(values),
        )
        implemented = [backend for backend in chosen if spec.runs_on(backend)]
        defaults = [
            replace(_on(own, backend), seed=seed).resolved()
            for backend in implemented or chosen  # it says what is wrong where there is none
            for seed in seeds
        ]
        _try_out(defaults)
        runs += defaults
        if any(h.name in values for h in spec.searched):
            told += defaults
        if defaults:
            second = spec.second is not None and spec.second.name in values
            searches += _searches(spec, defaults, min(tune, 1) if second else tune, tuning_budget)
    return Plan(tuple(runs), tuple(searches), tuple(told))


def _try_out(runs: Sequence[RunRequest]) -> None:
    """Make the optimisers of other packages once, here, where a mistake is a message and no run has begun."""
    for run in {run.backend: run for run in runs if run.optimiser not in specs.SPECS}.values():
        backend = usable_backend(run.backend)
        if backend.plug_ins is None:
            raise InvalidArgumentError(f"backend {backend.name!r} takes no optimisers of other packages.")
        backend.plug_ins.load()(run.optimiser, dict(run.hyperparameters))


def _searches(
    spec: specs.OptimiserSpec, defaults: Sequence[RunRequest], tune: int, budget: int | None
) -> Iterator[AnySearch]:
    """The search of an optimiser that has something to tune."""
    if spec.tuned is None or tune < 1:
        return
    search = Search(spec.tuned.name, spec.tuned.grid, tuple(defaults), budget)
    yield search if tune < 2 or spec.second is None else CoordinateSearch(search, spec.second, budget)


def is_sweep(run: RunRequest) -> bool:
    """True if what is asked for sets the scale of the outputs alone, and what is proven is read after training.

    On spheres the Frobenius norm is fixed, which is up to sqrt(rank) times the operator norm: what is proven lies well
    below the bound that is named.
    """
    if run.output_scale is not None:
        return True
    declared = PARAMETRISATIONS.get(run.parametrisation or "")
    return run.lipschitz is not None and declared is not None and declared.geometries == (Geometry.SPHERE,)


def bound_trials(plan: Plan) -> Plan:
    """What judges each bound of a plan on a validation part, for the optimisers that nothing is tuned of.

    Those of a search are judged at each bound by the trials at the value that it chooses, sweeps not at all.
    """
    groups: dict[object, list[RunRequest]] = {}
    for run in plan.requests:
        if run.lipschitz is not None and not is_sweep(run) and specs.get(run.optimiser).tuned is None:
            groups.setdefault(setting(run, without=("seed", *WHERE)), []).append(run)
    return Plan(tuple(trial for targets in groups.values() for trial in judging(targets)))


def _on(asked: Asked, backend: str) -> Asked:
    """The run on a backend, in what the backend knows."""
    has = get_backend(backend)
    return replace(asked, backend=backend, device=has.device_for(asked.device), dtype=has.dtype_for(asked.dtype))
