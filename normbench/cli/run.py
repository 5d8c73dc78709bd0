"""``normbench run``: train, store, show."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from normbench.backends import get as get_backend
from normbench.backends import names as backend_names
from normbench.cli import options
from normbench.cli.asked import of_the_request
from normbench.cli.errors import CHECK_FAILED
from normbench.cli.output import print_boards, print_failures, print_problems, print_records, print_remarks
from normbench.cli.own_tables import GivenTable, own_tables
from normbench.data.dataset import TABLE_MARK
from normbench.data.splits import VALIDATION
from normbench.errors import InvalidArgumentError, OutputError
from normbench.networks import Network
from normbench.networks.families import check_layers
from normbench.problems.tasks import TASKS, Task, get
from normbench.running.request import Asked, axes
from normbench.specs import OWN, PEERS, SPECS
from normbench.writing import probe_folder

if TYPE_CHECKING:
    from normbench.data.dataset import Dataset

_MOST_LAYERS = 10_000
_DEFAULT_TASK = "quadrotor-sim"
_PEERS = "peers"  # all of them that one of the backends has


@click.command("run")
@options.many(
    "task", "What is learned", list(TASKS), default=f"{_DEFAULT_TASK}, or the tables of --data", mark=TABLE_MARK
)
@own_tables
@options.many("optimiser", "What trains it", [*SPECS, _PEERS], default=f"all but the peers, {', '.join(PEERS)}")
@options.many_backends("What computes", backend_names())
@options.seeds(3)
@click.option(
    "--lipschitz",
    "bounds",
    type=options.POSITIVE,
    metavar="L",
    multiple=True,
    help="Bound that no iterate exceeds, in output units per unit of a normalised input. Repeat for several.  "
    "[default: none; the scaling of the papers]",
)
@click.option(
    "--output-scale",
    "scales",
    type=options.POSITIVE,
    metavar="S",
    multiple=True,
    help="What the unit of the outputs is multiplied by, after the scaling of the papers: a sweep over it shows what a "
    "method reaches at the bounds that it comes to. Repeat for several; not with --lipschitz.  [default: none]",
)
@of_the_request
@click.option(
    "--layers", "layers_text", metavar="D0,D1,...", help="Network, input or channels first.  [default: the task's own]"
)
@click.option("--width", type=click.IntRange(min=1), help="Width of every hidden layer, with --depth.")
@click.option("--depth", type=click.IntRange(min=1, max=_MOST_LAYERS), help="Number of weight matrices, with --width.")
@options.tune
@click.option(
    "--tuning-budget",
    type=int,
    metavar="N",
    help="Most trial runs that are spent on the values of one optimiser, three for every value.  [default: for every "
    "hyperparameter enough for its grid and four values beyond]",
)
@click.option(
    "--choose-bound",
    is_flag=True,
    help="For several bounds: judge each on a validation part, so that the frontier can show, at every L, the run at "
    "the best bound of at most L. Three more runs a bound for optimisers that nothing is tuned of; the others have "
    "their searches.",
)
@options.data_dir
@options.jobs
@options.out
@click.option(
    "--keep-networks",
    is_flag=True,
    help="Keep each trained network with its certificate, as NPZ in the sub-folder networks; see normbench certify.",
)
@options.output_format("table", "json", "csv")
def command(
    given: dict[str, Any],
    *,
    tasks: Sequence[str],
    tables: Sequence[GivenTable],
    optimisers: Sequence[str],
    backends: Sequence[str],
    seeds: int,
    bounds: Sequence[float],
    scales: Sequence[float],
    layers_text: str | None,
    width: int | None,
    depth: int | None,
    tune: str,
    tuning_budget: int | None,
    choose_bound: bool,
    data_dir: Path | None,
    jobs: int | None,
    out: Path,
    keep_networks: bool,
    format_: str,
) -> None:
    """Train optimisers and show the leaderboard.

    Every run is stored as it ends. Running again computes only what is missing, so an interrupted command can
    simply be repeated. An optimiser with a learning rate runs at its default and at the best of a log grid, which is
    chosen on a validation part (20 % of the training set) over three seeds that are not among those shown; while the
    best lies at an end of the grid, the grid grows there. With --tune two its momentum or epsilon, where it has one
    that matters, is then searched likewise at that learning rate.

    \b
    Examples:
      normbench run
      normbench run --optimiser method1 --optimiser adam --seeds 10
      normbench run --optimiser peers --seeds 10
      normbench run --optimiser scion --lipschitz 10 --schedule linear --tune two
      normbench run --task neural-fly --data-dir ~/neural_fly --split blocked
      normbench run --task neural-fly --lipschitz 10 --lipschitz 20 --keep-networks
      normbench run --task digits --lipschitz 10 --lipschitz 40 --choose-bound
      normbench run --data log.csv --inputs v,q --outputs fa --time t --unit N --lipschitz 20
      normbench run --width 25 --depth 6 --iterations 500 --backend torch
      normbench run --format json > runs.jsonl
    """
    from normbench.campaigns.campaign import Campaign
    from normbench.campaigns.plan import Plan, bound_trials, sweep
    from normbench.campaigns.samples import Samples
    from normbench.campaigns.search import check_budget, tuning_seeds
    from normbench.cli.progress import campaign_progress
    from normbench.records.store import RECORDS, Store
    from normbench.running.sizes import check_sizes, check_split

    layers = options.parse_layers(layers_text)
    options.check_network(layers, width, depth)
    check_budget(tuning_budget)
    named_bounds = tuple(dict.fromkeys(bounds))
    if choose_bound:
        _check_several(named_bounds)
    chosen = options.choose_backends(backends)
    store = Store(out / RECORDS)
    probe_folder(store.directory)
    _mention_compilations(chosen)
    searched = partial(sweep, backends=chosen, seeds=range(seeds), tune=options.TUNE[tune], tuning_budget=tuning_budget)
    plan = Plan(())
    samples = Samples(data_dir)
    for task in dict.fromkeys([*tasks, *(table.kept() for table in tables)] or (_DEFAULT_TASK,)):
        entry = get(task)
        dataset = samples.of(task)
        found = _layers(entry, dataset, layers, width, depth)
        network = entry.network(dataset, found)
        asked = Asked(task=task, layers=found, optimiser="", backend="", seed=0, **_said(given, entry))
        fits = partial(check_split, dataset, split=asked.split, batch_size=asked.batch_size)
        fits(seeds=range(seeds), judged_on=asked.judged_on)
        iterations = asked.iterations or entry.iterations or 1
        check_sizes(network.weight_shapes, iterations=iterations, batch_size=asked.batch_size)
        named = _supported(_expanded(optimisers or OWN, chosen), entry, network, asked, bounded=bool(bounds))
        if choose_bound or any(SPECS[key].tuned for key in named):
            fits(seeds=tuning_seeds(range(seeds)), judged_on=VALIDATION)
        for bound, scale in product(named_bounds or (None,), dict.fromkeys(scales) or (None,)):
            plan += searched(replace(asked, lipschitz=bound, output_scale=scale), optimisers=named)
    if choose_bound:
        plan += bound_trials(plan)
    kept = set(store.kept())
    say = partial(click.echo, err=True)
    with campaign_progress() as on_progress:
        campaign = Campaign(store, samples, options.job_count(jobs), on_progress, say, keep_networks)
        records = campaign.run(plan)
    if format_ == "table":
        everything, problems = store.load_all()
        print_problems(problems)
        print_remarks(everything)
        print_boards(everything, "table")
        again = shlex.join(["normbench", "leaderboard", "--out", str(out)])
        click.echo(f"Records: {store.directory}. Show this again: {again}", err=True)
    else:
        print_records(records, store, format_)
    failed, made_room = print_failures(records), _print_kept(set(store.kept()) - kept)
    if failed or made_room:
        raise click.exceptions.Exit(CHECK_FAILED)


def _said(given: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """The values of the options, with those of the task where its own stand for what is not given."""
    own = {axis.name: getattr(task, axis.name) for axis in axes() if axis.of_task}
    return own | {name: value for name, value in given.items() if value is not None}


def _check_several(bounds: Sequence[float]) -> None:
    """Raise where there is no bound to choose."""
    if len(bounds) < 2:
        given = f"L = {bounds[0]:g} alone" if bounds else "no bound"
        raise InvalidArgumentError(
            f"--choose-bound chooses among several bounds; got {given}. Repeat --lipschitz, such as --lipschitz 10 "
            "--lipschitz 40, or leave --choose-bound out."
        )


def _print_kept(made_room: Iterable[Path]) -> bool:
    """Name what lay under the name of a run, could not be read, and was renamed for it; True if there is any."""
    found = sorted(made_room)
    for path in found:
        click.echo(
            f"{path} lay under the name of a run and is no record that this normbench can read; it was kept under this "
            "name and the run made again. A newer normbench may have written it.",
            err=True,
        )
    return bool(found)


def _mention_compilations(chosen: Sequence[str]) -> None:
    """Say which backend will compile everything anew because its cache cannot be written."""
    for backend in map(get_backend, chosen):
        try:
            if backend.compilation_cache is not None:
                backend.compilation_cache()
        except OutputError as error:
            click.echo(f"{backend.title} compiles without a cache: {error}", err=True)


def _expanded(optimisers: Sequence[str], chosen: Sequence[str]) -> list[str]:
    """The optimisers, with the name of the group replaced by those of its members that a backend has."""
    peers = [key for key in PEERS if any(map(SPECS[key].runs_on, chosen))]
    return [key for name in optimisers for key in (peers if name == _PEERS else [name])]


def _supported(optimisers: Sequence[str], task: Task, network: Network, asked: Asked, *, bounded: bool) -> list[str]:
    """The optimisers that can train the network; who is left out is said, and someone must remain."""
    from normbench.running.support import check_support

    found, reasons = [], []
    for key in optimisers:
        try:
            check_support(
                SPECS[key],
                network,
                batch_size=asked.batch_size,
                parametrisation=asked.parametrisation,
                bounded=bounded,
            )
            found.append(key)
        except InvalidArgumentError as error:
            reasons.append(str(error))
    if not found:
        raise InvalidArgumentError(reasons[0])
    for reason in reasons:
        click.echo(f"{task.key}: left out: {reason}", err=True)
    return found


def _layers(
    task: Task, dataset: "Dataset", layers: tuple[int, ...] | None, width: int | None, depth: int | None
) -> tuple[int, ...]:
    """Widths of the network for a task; the outer two are checked against the data before anything starts."""
    inputs, *_, outputs = default = task.layers(dataset)
    if width is not None and depth is not None:
        if task.family != "perceptron":
            raise InvalidArgumentError(
                f"--width and --depth are for perceptrons; task {task.key!r} is {task.family}. Give --layers, such as "
                f"{','.join(map(str, default))}."
            )
        from normbench.papers.runs import perceptron_layers

        return perceptron_layers(width=width, depth=depth, inputs=inputs, outputs=outputs)
    if layers is None:
        return default
    check_layers(layers)
    if (layers[0], layers[-1]) != (inputs, outputs):
        raise InvalidArgumentError(
            f"--layers {','.join(map(str, layers))} does not fit task {task.key!r}, which has {inputs} inputs and "
            f"{outputs} outputs. Begin with {inputs} and end with {outputs}."
        )
    return layers
