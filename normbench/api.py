"""What the command line does, in Python: train and store, show boards, plot frontiers."""

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from normbench.analysis.frontier import frontiers
from normbench.analysis.leaderboard import boards
from normbench.arguments import switch
from normbench.calls import AXES, OF_RUNS, parts, workers
from normbench.campaigns.campaign import Campaign, Tally
from normbench.campaigns.parts import plan_of_parts
from normbench.campaigns.samples import Samples
from normbench.campaigns.usual import WHOLE
from normbench.cli.options import DEFAULT_OUT
from normbench.cli.quick import OUT as QUICK_OUT
from normbench.errors import InvalidArgumentError
from normbench.papers.asgd.published import board_rows
from normbench.paths import as_path
from normbench.presentation.notebook import FrontierPlot, Leaderboard
from normbench.presentation.progress import campaign_progress
from normbench.records.frame import from_frame, load_records, read_records, to_frame
from normbench.records.schema import Record
from normbench.records.store import Store

__all__ = ["leaderboard", "load_records", "plot_frontier", "run"]

_NAME = "record"  # column of a table of records


def run(
    tasks: str | Path | Iterable[str] = (),
    optimisers: Any = (),
    backends: str | Iterable[str] = (),
    *,
    lipschitz: float | Iterable[float] = (),
    seeds: int | Iterable[int] | None = None,
    layers: Sequence[int] | None = None,
    width: int | None = None,
    depth: int | None = None,
    output_scale: float | Iterable[float] = (),
    hyperparameters: Mapping[str, Any] | None = None,
    grids: Mapping[str, Any] | None = None,
    tune: str | None = None,
    tuning_budget: int | None = None,
    choose_bound: bool = False,
    data: str | Path | Iterable[str | Path] = (),
    inputs: str | Iterable[Any] = (),
    outputs: str | Iterable[Any] = (),
    group: str | Iterable[str] | None = None,
    time: str | Iterable[str] | None = None,
    unit: str | Iterable[str] | None = None,
    classes: bool = False,
    scale_inputs: bool = False,
    quick: bool = False,
    shard: str = WHOLE,
    data_dir: str | Path | None = None,
    jobs: int | None = None,
    scheduler: Any = None,
    cluster: str | Path | None = None,
    time_limit: float | None = None,
    memory_limit: int | str | None = None,
    runs_per_gpu: int = 1,
    dashboard: bool = False,
    out: str | Path | None = None,
    keep_networks: bool = False,
    progress: bool | None = None,
    **of_a_run: Any,
) -> pd.DataFrame:
    """Train optimisers as ``normbench run`` does; what is stored already is not made again.

    Runs are made in processes of their own: a script needs the usual ``if __name__ == "__main__":``.

    Parameters
    ----------
    tasks, backends : str or iterable of str
        Those of the command line where they are left out. In the place of ``tasks`` a campaign file, as a path or a
        text that ends in ``.toml``: it says what is run, and beside it stands what does not, from ``shard`` on.
    optimisers : str, class or function, or iterable of them
        Names of ours or of installed packages, ``"my_module:MyClass"``, or the classes and functions themselves, which
        every process must be able to import.
    lipschitz, output_scale : float or iterable of float
        Each is run.
    seeds : int or iterable of int, optional
        N for 0 to N - 1, or those that are meant, such as ``range(10, 20)``; 3 by default.
    layers : sequence of int, optional
        Widths, input first; or ``width`` and ``depth``.
    hyperparameters : mapping, optional
        ``{"learning_rate": 0.01}`` for all optimisers, ``{"adam": {"beta1": 0.8}}`` for one.
    grids : mapping, optional
        Likewise, values to search for optimisers of other packages: numbers, or tuples of them.
    tune : str, optional
        "one", "two" or "none": hyperparameters that are searched; one by default.
    tuning_budget : int, optional
    choose_bound : bool
        True to judge every bound on a validation part, too.
    data : path or iterable of paths
        Tables of yours, each a task.
    inputs, outputs : str or iterable of str, or of one for every table
        Names of columns.
    group, time, unit : str or one for every table, optional
        Columns of what is held out together, or of seconds; the unit of the outputs.
    classes, scale_inputs : bool
        True if the output is a class, though it is a number; to divide every input by its root mean square.
    quick : bool
        True for a first board in seconds, in the place of all above.
    shard : str, optional
        ``"1/4"``: a part of what the rest asks for, the first of four.
    data_dir : path, optional
    scheduler : optional
        A dask scheduler whose workers make the runs: its address, its ``scheduler.json``, or a ``distributed.Client``
        or cluster that is connected to it.
    cluster : path, optional
        YAML file of a dask cluster to make for this and to end.
    time_limit : float, optional
        Seconds after which a run is stopped and recorded as failed.
    memory_limit : int or str, optional
        Bytes, or ``"4GiB"``, after which a process of this machine is ended.
    runs_per_gpu : int
        Runs at the same time on each GPU of this machine.
    dashboard : bool
        True for dask's page on what runs, for processes of this machine, too.
    jobs : int, optional
        Runs at the same time; as many as the cores allow by default.
    out : path, optional
        The results folder: ``normbench-results`` by default, ``normbench-quick`` with ``quick``.
    keep_networks : bool
    progress : bool, optional
        False for silence; else a bar on a terminal and in notebooks, and lines elsewhere.
    **of_a_run
        Other fields of a request that the command has options for, such as ``iterations=200``, ``split="blocked"``,
        ``batch_size=32`` or ``parametrisation="ball"``: :class:`normbench.running.request.Asked` says what each is.

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
    said = {name: value for name, value in locals().items() if name in OF_RUNS}
    folder = as_path("out", (QUICK_OUT if quick else DEFAULT_OUT) if out is None else out)
    silent = progress is not None and not switch("progress", progress)
    say: Callable[[str], None] = (lambda text: None) if silent else (lambda text: print(text, file=sys.stderr))
    samples = Samples(None if data_dir is None else as_path("data_dir", data_dir))
    made_by = workers(
        quick=quick,
        jobs=jobs,
        scheduler=scheduler,
        cluster=cluster,
        time_limit=time_limit,
        memory_limit=memory_limit,
        runs_per_gpu=runs_per_gpu,
        dashboard=dashboard,
    )
    plan = plan_of_parts(parts(said, _OF_THE_WHOLE, say, folder), samples, say, shard=shard)
    store = Store.of_results(folder)
    with _silence() if silent else campaign_progress() as on_progress:
        campaign = Campaign(store, samples, made_by, on_progress, say, switch("keep_networks", keep_networks))
        return to_frame(campaign.run(plan))


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
    return _each_once(found)


def _each_once(records: list[Record]) -> list[Record]:
    """The records without repeats, as tables put together have them: a run that counts twice looks more certain."""
    found: dict[str, Record] = {}
    for record in records:
        if found.setdefault(record.record_id, record).checksum != record.checksum:
            raise InvalidArgumentError(
                f"records has the run {record.record_id} twice, and the two differ. Keep one of them: "
                f"records.drop_duplicates({_NAME!r})."
            )
    return list(found.values())


@contextmanager
def _silence() -> Iterator[Callable[[Tally], None]]:
    yield lambda tally: None


def _with_the_fields_of_a_run(made: inspect.Signature) -> inspect.Signature:
    *own, rest = made.parameters.values()
    return made.replace(parameters=[*own, *(rest.replace(name=a, kind=rest.KEYWORD_ONLY, default=None) for a in AXES)])


run.__signature__ = _with_the_fields_of_a_run(inspect.signature(run))  # type: ignore[attr-defined]
_OF_THE_WHOLE = {
    name.replace("_", "-"): f"normbench.run(..., {name}=...)."
    for name in inspect.signature(run).parameters
    if name not in OF_RUNS and name not in AXES
}
