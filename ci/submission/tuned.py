"""How a submission's hyperparameters came by their values: not at all, or by a search whose trials can be read."""

import math
from collections.abc import Iterable, Iterator, Sequence

from ci.submission.breach import Breach, named
from ci.submission.terms import rows_of
from normbench.analysis.selection import current, results, sortable, trials, unusual_hyperparameters
from normbench.analysis.tuning import Rule, searched, tuning
from normbench.backends.trajectory import Status
from normbench.campaigns.job import run_name
from normbench.campaigns.search import WHERE
from normbench.records.schema import Record
from normbench.running.axis import Level
from normbench.specs import Value

_WITHOUT = ("hyperparameters", "judged_on", *WHERE)  # in which a run differs from the trials that chose its values
_SEARCH = "Let normbench run search it in an empty folder, and export everything"

Values = tuple[Value, ...]


def openly_tuned(files: Iterable[Sequence[Record]]) -> tuple[Breach, ...]:
    """Rows whose values are neither defaults nor the best of trials in the same file."""
    found: list[Breach] = []
    every: list[list[Record]] = []
    for records in files:
        tried, rows = trials(records), rows_of(current(results(records)))
        found += (breach for row in rows for breach in _row(row, tried))
        every += rows
    return (*found, *_by_hand(every))


def _row(row: Sequence[Record], tried: Sequence[Record]) -> Iterator[Breach]:
    found, where = tuning(row), f"the row of {run_name(row[0].request)}"
    if Rule.BEST in found.rules:
        yield from (Breach(f"{where}: {what}", _SEARCH, ()) for what in _search(row, tried))
    elif Rule.GIVEN in found.rules:
        yield Breach(
            f"{where} stands at a value that was given by hand",
            "Leave --set out; where there is no default declare one with normbench.specs.PlugIn",
        )


def _search(row: Sequence[Record], tried: Sequence[Record]) -> Iterator[str]:
    """What is wrong with the search that is said to have chosen the values of a row."""
    chosen_by = max(row, key=lambda run: run.provenance.tuning_runs)
    names = [h.name for h in searched(chosen_by)]
    asked = _asked(chosen_by, names)
    by_values: dict[Values, list[Record]] = {}
    for trial in tried:
        if _asked(trial, names) == asked:
            by_values.setdefault(_values(trial, names), []).append(trial)
    made = sum(map(len, by_values.values()))
    if made != chosen_by.provenance.tuning_runs:
        yield f"says that {chosen_by.provenance.tuning_runs} trials chose its value, and the file has {made} of them"
    if not made:
        return
    seeds = {frozenset(trial.request.seed for trial in runs) for runs in by_values.values()}
    if len(seeds) > 1:
        yield "its trials tried some values with other seeds than others"
    if judged := frozenset.union(*seeds) & {run.request.seed for run in row}:
        yield f"the seeds {named(judged)} chose the value and judge it"
    scores = {values: _score(runs) for values, runs in by_values.items()}
    best = min(scores, key=lambda values: scores[values])
    chosen = _values(chosen_by, names)
    if not scores.get(chosen, math.inf) <= scores[best] < math.inf:
        yield f"stands at {_words(names, chosen)}, and the best of its trials at {_words(names, best)}"


def _asked(record: Record, names: Sequence[str]) -> tuple[object, ...]:
    """All that a run has in common with the trials that chose its values."""
    others = tuple(sorted((n, v) for n, v in record.request.hyperparameters.items() if n not in names))
    return sortable(record, Level.BOARD, Level.ROW, without=_WITHOUT), others


def _values(record: Record, names: Sequence[str]) -> Values:
    return tuple(record.request.hyperparameters[name] for name in names)


def _words(names: Sequence[str], values: Values) -> str:
    return ", ".join(f"{name} = {value}" for name, value in zip(names, values, strict=True))


def _score(runs: Sequence[Record]) -> float:
    """Mean validation RMS; infinite where a trial gave no result."""
    ended = all(run.outcome.status in (Status.DONE, Status.STALLED) for run in runs)
    mean = sum(run.outcome.test_rms for run in runs) / len(runs)
    return mean if ended and math.isfinite(mean) else math.inf


def _by_hand(rows: Sequence[Sequence[Record]]) -> Iterator[Breach]:
    """What no search chooses and is not at its default must be the same on every board: else a hand has tuned it."""
    found: dict[str, dict[str, Record]] = {}
    for row in rows:
        said = str(sorted(unusual_hyperparameters(row[0]).items()))
        found.setdefault(row[0].request.optimiser, {})[said] = row[0]
    for optimiser, settings in found.items():
        if len(settings) > 1:
            yield Breach(
                f"{optimiser} has other hyperparameters on some boards than on others, which no search chose",
                "Give the same to all, or have them searched",
                tuple(settings.values()),
            )
