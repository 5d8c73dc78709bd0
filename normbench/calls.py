"""What a call of :func:`normbench.run` asks for: its arguments as what the options of the command make of theirs."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from normbench.arguments import is_several, one_of, several, switch, texts, widths
from normbench.campaigns.engine.workers import Workers, memory
from normbench.campaigns.parts import Part
from normbench.campaigns.usual import TUNE
from normbench.campaigns.wanted import Wanted
from normbench.cli.campaign_file import parts_of
from normbench.cli.own_tables import OF_COLUMNS, given_tables
from normbench.cli.quick import in_one_process, note, quick_runs
from normbench.errors import InvalidArgumentError
from normbench.numbers import as_number, count, positive
from normbench.paths import as_path
from normbench.running.request import axes
from normbench.specs import suggestion
from normbench.specs.plug_in import address_of
from normbench.specs.values import value_text

AXES = {axis.name: axis for axis in axes() if axis.help}  # what the command line has an option for, likewise
OF_RUNS = (  # the arguments that say what is run
    *("tasks", "optimisers", "backends", "lipschitz", "seeds", "layers", "width", "depth", "output_scale"),
    *("hyperparameters", "grids", "tune", "tuning_budget", "choose_bound", "data", *OF_COLUMNS, "quick", "of_a_run"),
)
_CAMPAIGN = ".toml"  # ends the text that is a campaign file and no task


def parts(
    said: Mapping[str, Any], of_the_whole: Mapping[str, str], say: Callable[[str], None], out: Path
) -> list[Part]:
    """The parts of a plan: one, or those of a campaign file in the place of the tasks.

    Parameters
    ----------
    said : mapping
        Arguments of the call that say what is run, by name; None, False and () where they were left out.
    of_the_whole : mapping of str to str
        The other arguments, and how they are given.
    say : callable
        Receives lines on tables.
    out : Path
        The results folder, for commands that are said.

    Raises
    ------
    InvalidArgumentError
    DataError
        If a table cannot be read.
    """
    tasks = said["tasks"]
    is_file = isinstance(tasks, Path) or (isinstance(tasks, str) and tasks.endswith(_CAMPAIGN))
    if is_file:
        _refuse_beside(str(tasks), {**said, "tasks": None}, "the file says what is run. Write that into it")
        return parts_of(as_path("tasks", tasks), of_the_whole)
    if said["quick"] and switch("quick", said["quick"]):
        _refuse_beside("quick=True", {**said, "quick": None}, "it says what is run. Leave it out, or the rest")
        wanted = quick_runs()
        say(note(wanted, out))
        return [Part(wanted)]
    return [Part(_wanted(said, say))]


def _refuse_beside(what: str, said: Mapping[str, Any], reason: str) -> None:
    everything = {**said, "of_a_run": None, **said["of_a_run"]}
    given = [name for name, value in everything.items() if not _is_unsaid(value)]
    if given:
        raise InvalidArgumentError(f"{', '.join(given)} beside {what}: {reason}.")


def _is_unsaid(value: Any) -> bool:
    return value is None or value is False or (isinstance(value, tuple | Mapping) and not value)


def _wanted(said: Mapping[str, Any], say: Callable[[str], None]) -> Wanted:
    given = {name: value for name, value in said.items() if value is not None}
    read: dict[str, Callable[[Any], Any]] = {
        "seeds": _seeds,
        "layers": widths,
        "width": lambda value: count("width", value),
        "depth": lambda value: count("depth", value),
        "tune": lambda value: one_of("tune", value, TUNE),
        "tuning_budget": lambda value: count("tuning_budget", value),
        "choose_bound": lambda value: switch("choose_bound", value),
    }
    return Wanted(
        tasks=texts("tasks", said["tasks"], "digits") + _tables(said, say),
        optimisers=[each if isinstance(each, str) else address_of(each) for each in several(said["optimisers"])],
        backends=texts("backends", said["backends"], "torch"),
        lipschitz=[positive("lipschitz", each) for each in several(said["lipschitz"])],
        output_scale=[positive("output_scale", each) for each in several(said["output_scale"])],
        settings=_pairs("hyperparameters", said["hyperparameters"], _value),
        grids=_pairs("grids", said["grids"], _grid),
        axes=_checked(said["of_a_run"]),
        **{name: check(given[name]) for name, check in read.items() if name in given},
    )


def workers(
    *,
    quick: Any = False,
    jobs: Any,
    scheduler: Any,
    cluster: Any,
    time_limit: Any,
    memory_limit: Any,
    runs_per_gpu: Any,
    dashboard: Any,
) -> Workers:
    """Where the runs are made.

    Raises
    ------
    InvalidArgumentError
    """
    if quick:
        jobs = in_one_process({"jobs": jobs})["jobs"]
    return Workers(
        jobs=None if jobs is None else count("jobs", jobs),
        scheduler=_address(scheduler),
        cluster=None if cluster is None else as_path("cluster", cluster),
        seconds=None if time_limit is None else positive("time_limit", time_limit),
        memory=None if memory_limit is None else _memory(memory_limit),
        runs_per_gpu=count("runs_per_gpu", runs_per_gpu),
        dashboard=switch("dashboard", dashboard),
    )


def _memory(given: Any) -> int:
    try:
        return memory(given)
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"memory_limit: {error}") from error


def _tables(said: Mapping[str, Any], say: Callable[[str], None]) -> list[str]:
    """The keys of the tasks of the user's tables, which are kept in the cache."""
    data = [] if _is_unsaid(said["data"]) else [as_path("data", each) for each in several(said["data"])]
    of_columns = {name: said[name] for name in OF_COLUMNS}
    for name in ("inputs", "outputs"):
        of_columns[name] = _columns(name, said[name])
    for name in ("group", "time", "unit"):
        of_columns[name] = [] if said[name] is None else texts(name, said[name], "t")
    for name in ("classes", "scale_inputs"):
        switch(name, said[name])
    return [table.kept(say) for table in given_tables(data, **of_columns)]


def _columns(name: str, given: Any) -> list[tuple[str, ...]]:
    """Names of columns: those of all tables, or of each its own."""
    if _is_unsaid(given):
        return []
    found = several(given)
    if any(is_several(each) for each in found):
        return [tuple(texts(name, each, "a")) for each in found]
    return [tuple(texts(name, found, "a"))]


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
    if isinstance(value, tuple | list) or (isinstance(value, np.ndarray) and value.ndim):
        return ",".join(map(_value, value))
    number = as_number(value)
    return value_text(number) if number is not None or value is None else str(value)


def _grid(values: Any) -> str:
    """As the command line has it: values of several numbers in parentheses."""
    return ",".join(f"({_value(each)})" if is_several(each) else _value(each) for each in several(values))


def _checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a request by name, their values as its declaration admits them."""
    found = dict(given)
    for name, value in given.items():
        if name not in AXES:
            raise InvalidArgumentError(
                f"run has no argument {name!r}.{suggestion(name, AXES)} Of a run it takes: {', '.join(AXES)}."
            )
        if value is not None:
            found[name] = AXES[name].check(value)
    return found
