"""Ways of training on a frontier, out of stored runs: at each bound the runs that stand for a way at a budget."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from normbench.analysis.budget import SHORTFALL
from normbench.analysis.runs import planned_evaluations
from normbench.analysis.selection import Sortable, fixed, grouped, row_key, sortable
from normbench.analysis.tuning import Rule, tuning
from normbench.campaigns.plan import is_sweep
from normbench.records.schema import Record
from normbench.running.axis import Level
from normbench.running.schedule import TO_THE_END

Runs = Sequence[Record]
SCALE = "output_scale"  # the axis that moves the bound of a way without a named one


class Kind(StrEnum):
    """How a way comes by its bound."""

    BOUND = "at the bound"  # its weights reach what was asked for
    SWEEP = "sweep"  # its norms are fixed, and what is proven lies well below what was asked for: output scales differ
    CEILING = "no bound"  # none was asked for: known after training alone


class Way(NamedTuple):
    """A way of training: all that was asked for but data, bound or scale, seed, iterations and the tuned values.

    Attributes
    ----------
    key : tuple
        The same on every task; it can be compared and hashed.
    kind : Kind
    runs : mapping of float or None to list of Record
        By bound or scale of the outputs, ascending, None where none was asked for: those that stand for the way, which
        differ in nothing but their seeds.
    """

    key: Sortable
    kind: Kind
    runs: Mapping[float | None, Runs]

    @property
    def first(self) -> Record:
        """A run of it, for its names."""
        return next(iter(self.runs.values()))[0]


def kind(record: Record) -> Kind:
    """How the way of a run comes by its bound, by what is declared of its parametrisation."""
    if is_sweep(record.request):
        return Kind.SWEEP
    return Kind.CEILING if record.request.lipschitz is None else Kind.BOUND


def _asked(record: Record) -> float | None:
    """What moves the bound of a way: the one that is named, or the scale of its outputs."""
    return record.request.output_scale if record.request.lipschitz is None else record.request.lipschitz


def ways(records: Runs, budget: float) -> list[Way]:
    """Every way with the runs that stand for it at a budget.

    A way whose tuned value was searched at one of the bounds stands there with the value that was chosen, and nowhere
    with a default; one that was searched at none stands with the default. Where at a bound both a choice of one
    hyperparameter and one of two are stored, that of two stands there. Of runs of different lengths the shortest that
    come to the budget count, and those that were to make fewer evaluations do not; nor do longer ones whose learning
    rate falls until they end, for at the budget it has not fallen yet.
    """
    fit = [run for run in records if _fits(run, budget)]
    return [way for runs in grouped(fit, _key).values() if (way := _way(runs)) is not None]


def other_ways(records: Runs, budget: float) -> list[Way]:
    """The ways none of whose runs say what they reach at the budget: see :func:`ways`."""
    groups = grouped(records, _key).values()
    others = (runs for runs in groups if not any(_fits(run, budget) for run in runs))
    return [way for runs in others if (way := _way(runs)) is not None]


def is_planned_for(way: Way, budget: float) -> bool:
    """Whether some of its runs were to end at the budget, and are not read there on their way."""
    return any(not _is_longer(run, budget) for runs in way.runs.values() for run in runs)


def _fits(record: Record, budget: float) -> bool:
    if planned_evaluations(record) < (1 - SHORTFALL) * budget:
        return False
    return not (_is_longer(record, budget) and record.request.schedule in TO_THE_END)


def _is_longer(record: Record, budget: float) -> bool:
    return (1 - SHORTFALL) * planned_evaluations(record) > budget


def _key(record: Record) -> Sortable:
    asked = sortable(record, Level.ROW, without=("hyperparameters", "iterations", SCALE))
    return (("kind", True, kind(record)), *asked, ("fixed", True, fixed(record)))


def _way(runs: Runs) -> Way | None:
    rows = list(grouped(runs, lambda run: (sortable(run, Level.BOARD), row_key(run))).values())
    rules = {rule for row in rows for rule in tuning(row).rules}
    wanted = next((rule for rule in (Rule.BEST, Rule.NONE, Rule.GIVEN, Rule.DEFAULT) if rule in rules), None)
    at_bounds: dict[float | None, list[Runs]] = {}
    for row in rows:
        if wanted in tuning(row).rules:
            at_bounds.setdefault(_asked(row[0]), []).append(row)
    if not at_bounds:
        return None
    key = (*_key(runs[0]), ("rule", True, str(wanted)))
    ordered = sorted(at_bounds, key=lambda bound: bound or 0.0)
    return Way(key, kind(runs[0]), {bound: _standing(at_bounds[bound]) for bound in ordered})


def _standing(rows: Sequence[Runs]) -> Runs:
    """The row that stands for a way at a bound: of several that were each the best of a search one for which two
    hyperparameters were searched, then the newest."""

    def worth(row: Runs) -> tuple[float, bool, float]:
        return -max(map(planned_evaluations, row)), tuning(row).second is not None, max(map(_seconds, row))

    return max(rows, key=worth)


def _seconds(record: Record) -> float:
    return datetime.fromisoformat(record.provenance.created).timestamp()


def common_seeds(found: Sequence[Way]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The seeds that are judged, and those that are left out because few of the ways and bounds have them."""
    return commonest_seeds(runs for way in found for runs in way.runs.values())


def commonest_seeds(rows: Iterable[Runs]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The seeds that many of the rows have, and those that few have.

    Means over other seeds are means over other splits: a seed counts that half as many have as have the commonest.
    """
    count = Counter(run.request.seed for runs in rows for run in runs)
    least = max(count.values(), default=0) / 2
    return (
        tuple(sorted(seed for seed, n in count.items() if n >= least)),
        tuple(sorted(seed for seed, n in count.items() if n < least)),
    )
