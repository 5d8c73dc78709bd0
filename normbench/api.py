"""What the command line does, in Python: train and store, show boards, plot frontiers."""

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from normbench.analysis.frontier import frontiers
from normbench.analysis.leaderboard import boards
from normbench.arguments import is_several, one_of, several, switch, texts, widths
from normbench.campaigns.campaign import Campaign, Tally
from normbench.campaigns.engine.workers import Workers
from normbench.campaigns.parts import Part, plan_of_parts
from normbench.campaigns.samples import Samples
from normbench.campaigns.usual import TUNE, TUNED, WHOLE
from normbench.campaigns.wanted import Wanted
from normbench.errors import InvalidArgumentError
from normbench.machine import runs_at_once
from normbench.numbers import as_number, count, positive
from normbench.papers.asgd.published import board_rows
from normbench.paths import as_path
from normbench.presentation.notebook import FrontierPlot, Leaderboard
from normbench.presentation.progress import campaign_progress
from normbench.records.frame import from_frame, load_records, read_records, to_frame
from normbench.records.schema import Record
from normbench.records.store import RECORDS, Store
from normbench.running.request import axes
from normbench.specs import suggestion
from normbench.specs.plug_in import address_of
from normbench.specs.values import value_text

__all__ = ["leaderboard", "load_records", "plot_frontier", "run"]

OUT = "normbench-results"
_AXES = {axis.name: axis for axis in axes() if axis.help}  # what the command line has an option for, likewise


def run(
    tasks: str | Iterable[str] = (),
    optimisers: Any = (),
    backends: str | Iterable[str] = (),
    *,
    lipschitz: float | Iterable[float] = (),
    seeds: int | Iterable[int] = 3,
    layers: Sequence[int] | None = None,
    width: int | None = None,
    depth: int | None = None,
    output_scale: float | Iterable[float] = (),
    hyperparameters: Mapping[str, Any] | None = None,
    grids: Mapping[str, Any] | None = None,
    tune: str = TUNED,
    tuning_budget: int | None = None,
    choose_bound: bool = False,
    shard: str = WHOLE,
    data_dir: str | Path | None = None,
    jobs: int | None = None,
    scheduler: Any = None,
    cluster: str | Path | None = None,
    out: str | Path = OUT,
    keep_networks: bool = False,
    progress: bool | None = None,
    **of_a_run: Any,
) -> pd.DataFrame:
    """Train optimisers as ``normbench run`` does; what is stored already is not made again.

    Runs are made in processes of their own: a script needs the usual ``if __name__ == "__main__":``.

    Parameters
    ----------
    tasks, backends : str or iterable of str
        Those of the command line where they are left out.
    optimisers : str, class or function, or iterable of them
        Names of ours or of installed packages, ``"my_module:MyClass"``, or the classes and functions themselves, which
        every process must be able to import.
    lipschitz, output_scale : float or iterable of float
        Each is run.
    seeds : int or iterable of int
        N for 0 to N - 1, or those that are meant, such as ``range(10, 20)``.
    layers : sequence of int, optional
        Widths, input first; or ``width`` and ``depth``.
    hyperparameters : mapping, optional
        ``{"learning_rate": 0.01}`` for all optimisers, ``{"adam": {"beta1": 0.8}}`` for one.
    grids : mapping, optional
        Likewise, values to search for optimisers of other packages.
    tune : str
        "one", "two" or "none": hyperparameters that are searched.
    tuning_budget : int, optional
    choose_bound : bool
        True to judge every bound on a validation part, too.
    shard : str, optional
        ``"1/4"``: a part of what the rest asks for, the first of four.
    data_dir : path, optional
    scheduler : optional
        A dask scheduler whose workers make the runs: its address, its ``scheduler.json``, or a ``distributed.Client``
        or cluster that is connected to it.
    cluster : path, optional
        YAML file of a dask cluster to make for this and to end.
    jobs : int, optional
        Runs at the same time; as many as the cores allow by default.
    out : path
        The results folder.
    keep_networks : bool
    progress : bool, optional
        False for silence; else a bar on a terminal and in notebooks, and lines elsewhere.
    **of_a_run
        ``iterations``, ``split``, ``dtype``, ``device``, ``batch_size``, ``schedule``, ``activation``,
        ``initialisation``, ``augmentation``, ``parametrisation``, ``judged_on``: the fields of a request,
        :class:`normbench.running.request.Asked`, that the command has options for.

    Returns
    -------
    DataFrame
        A row a run, as of :func:`normbench.load_records`.

    Raises
    ------
    InvalidArgumentError
        If a name is unknown, a value is out of range, or things do not go together.
    BackendUnavailableError, DataError, DownloadError, OutputError

    Examples
    --------
    >>> import normbench
    >>> records = normbench.run("digits", "adam", "torch", lipschitz=[5, 20], seeds=2)  # doctest: +SKIP
    >>> normbench.plot_frontier(records)  # doctest: +SKIP
    """
    wanted = Wanted(
        tasks=texts("tasks", tasks, "digits"),
        optimisers=[each if isinstance(each, str) else address_of(each) for each in several(optimisers)],
        backends=texts("backends", backends, "torch"),
        seeds=_seeds(seeds),
        lipschitz=[positive("lipschitz", each) for each in several(lipschitz)],
        output_scale=[positive("output_scale", each) for each in several(output_scale)],
        layers=None if layers is None else widths(layers),
        width=None if width is None else count("width", width),
        depth=None if depth is None else count("depth", depth),
        tune=one_of("tune", tune, TUNE),
        tuning_budget=None if tuning_budget is None else count("tuning_budget", tuning_budget),
        choose_bound=switch("choose_bound", choose_bound),
        settings=_pairs("hyperparameters", hyperparameters, _value),
        grids=_pairs("grids", grids, lambda values: ",".join(map(_value, several(values)))),
        axes=_checked(of_a_run),
    )
    silent = progress is not None and not switch("progress", progress)
    say: Callable[[str], None] = (lambda text: None) if silent else (lambda text: print(text, file=sys.stderr))
    samples = Samples(None if data_dir is None else as_path("data_dir", data_dir))
    plan = plan_of_parts([Part(wanted)], samples, say, shard=shard)
    store = Store(as_path("out", out) / RECORDS)
    workers = Workers(
        jobs=runs_at_once() if jobs is None else count("jobs", jobs),
        scheduler=_address(scheduler),
        cluster=None if cluster is None else as_path("cluster", cluster),
    )
    with _silence() if silent else campaign_progress() as on_progress:
        campaign = Campaign(store, samples, workers, on_progress, say, switch("keep_networks", keep_networks))
        return to_frame(campaign.run(plan))


def _address(scheduler: Any) -> str | None:
    """Where a scheduler is, of a text, a path, or what dask has connected to it."""
    if scheduler is None or isinstance(scheduler, str | Path):
        return None if scheduler is None else str(scheduler)
    known = getattr(getattr(scheduler, "scheduler", None), "address", None) or getattr(
        scheduler, "scheduler_address", ""
    )
    if not known:
        raise InvalidArgumentError(
            f"scheduler takes an address such as tcp://host:8786, the path of a scheduler.json, or a "
            f"distributed.Client; got {scheduler!r}."
        )
    return str(known)


def _seeds(given: Any) -> Sequence[int]:
    """The seeds that are meant, each once."""
    if is_several(given):
        found = tuple(dict.fromkeys(count("seeds", seed, least=0) for seed in given))
        if not found:
            raise InvalidArgumentError("seeds is empty. Give a number, such as 3, or seeds such as range(10, 20).")
        return found
    return range(count("seeds", given))


def leaderboard(records: Any) -> Leaderboard:
    """The leaderboards of some records, which show themselves in a notebook and print as on a terminal.

    Parameters
    ----------
    records : DataFrame or path
        Of :func:`run` or :func:`normbench.load_records`, or where they are stored.

    Returns
    -------
    Leaderboard
        With ``frame``, its rows as a table.

    Raises
    ------
    InvalidArgumentError
        If there is no record.
    RecordError
        If a row is no record.
    """
    return Leaderboard(tuple(boards(_records(records), published=board_rows)))


def plot_frontier(records: Any) -> FrontierPlot:
    """Test error over the Lipschitz bound, as a picture in a notebook and as tables in print.

    Parameters
    ----------
    records : DataFrame or path
        As of :func:`leaderboard`, of several bounds on one task.

    Returns
    -------
    FrontierPlot
        With ``frame``, its numbers as a table, and ``save(folder)``.

    Raises
    ------
    InvalidArgumentError
        If there is no record, or no task with several bounds.
    RecordError
        If a row is no record.
    """
    found = frontiers(_records(records))
    if not found:
        raise InvalidArgumentError(
            "records has no task with several bounds, between which a frontier would run. Train at two or more, such "
            "as lipschitz=[5, 20]."
        )
    return FrontierPlot(tuple(found))


def _records(records: Any) -> list[Record]:
    if isinstance(records, pd.DataFrame):
        found = from_frame(records, source="records")
    elif isinstance(records, str | Path):
        found = read_records(as_path("records", records))
    else:
        raise InvalidArgumentError(
            f"records must be a DataFrame of normbench.run or load_records, or a path; got {type(records).__name__}."
        )
    if not found:
        raise InvalidArgumentError("records is empty. Make some: normbench.run().")
    return found


@contextmanager
def _silence() -> Iterator[Callable[[Tally], None]]:
    yield lambda tally: None


def _pairs(name: str, given: Mapping[str, Any] | None, text: Callable[[Any], str]) -> list[str]:
    """``name=value`` and ``optimiser.name=value``, as the command line has them."""
    if given is not None and not isinstance(given, Mapping):
        raise InvalidArgumentError(f"{name} must be a mapping such as {{'learning_rate': 0.01}}; got {given!r}.")
    pairs = []
    for key, value in (given or {}).items():
        of = key if isinstance(key, str) else address_of(key)
        if isinstance(value, Mapping):
            pairs += [f"{of}.{each}={text(own)}" for each, own in value.items()]
        else:
            pairs.append(f"{of}={text(value)}")
    return pairs


def _value(value: Any) -> str:
    """As the command line has it; what is no value of a hyperparameter is left to its check."""
    if isinstance(value, bool | np.bool_):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return ",".join(map(_value, value))
    number = as_number(value)
    return value_text(number) if number is not None or value is None else str(value)


def _checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a request by name, their values as its declaration admits them."""
    found = dict(given)
    for name, value in given.items():
        if name not in _AXES:
            raise InvalidArgumentError(
                f"run has no argument {name!r}.{suggestion(name, _AXES)} Of a run it takes: {', '.join(_AXES)}."
            )
        if value is not None:
            if _AXES[name].at_least is not None:
                found[name] = count(name, value, least=_AXES[name].at_least or 0)
            _AXES[name].check(found[name])
    return found


def _with_the_fields_of_a_run(made: inspect.Signature) -> inspect.Signature:
    *own, rest = made.parameters.values()
    return made.replace(parameters=[*own, *(rest.replace(name=a, kind=rest.KEYWORD_ONLY, default=None) for a in _AXES)])


run.__signature__ = _with_the_fields_of_a_run(inspect.signature(run))  # type: ignore[attr-defined]
