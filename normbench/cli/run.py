"""``normbench run``: train, store, show."""

import shlex
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from normbench.backends import get as get_backend
from normbench.backends import names as backend_names
from normbench.campaigns.usual import PEERS as ALL_PEERS
from normbench.campaigns.usual import TASK, WHOLE
from normbench.cli import options
from normbench.cli.asked import of_the_request
from normbench.cli.errors import CHECK_FAILED
from normbench.cli.output import print_boards, print_failures, print_problems, print_records, print_remarks
from normbench.cli.own_tables import GivenTable, own_tables
from normbench.data.dataset import TABLE_MARK
from normbench.errors import OutputError
from normbench.problems import plug_ins as tasks_of_others
from normbench.problems.tasks import TASKS
from normbench.specs import PEERS, SPECS, plug_ins
from normbench.writing import probe_folder

_MOST_LAYERS = 10_000


def _plug_in(key: str) -> object:
    """Another package's optimiser; modules in the present folder are found, too."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # behind what is installed
    return plug_ins.get(key)


def _other_task(key: str) -> object:
    """A table that is kept, by its key, or another package's task."""
    return key if TABLE_MARK in key else tasks_of_others.declared(key)


@click.command("run")
@options.many_plugged_in(
    "task",
    "What is learned",
    list(TASKS),
    _other_task,
    default=f"{TASK}, or the tables of --data",
    others="another package's, or the key of a table that is kept",
)
@own_tables
@options.many_plugged_in(
    "optimiser",
    "What trains it",
    [*SPECS, ALL_PEERS],
    _plug_in,
    default=f"all but the peers, {', '.join(PEERS)}",
    others="or another package's, by the name of its entry point or as my_module:MyClass, see docs/plug_ins.md",
)
@options.many_backends("What computes", backend_names())
@options.seed_range
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
@click.option(
    "--set",
    "settings",
    metavar="NAME=VALUE",
    multiple=True,
    help="A hyperparameter that is not to be at its default, of every optimiser, or of one: adam.beta1=0.8. Repeat for "
    "several.",
)
@options.tune
@click.option(
    "--tuning-budget",
    type=int,
    metavar="N",
    help="Most trial runs that are spent on the values of one optimiser, three for every value.  [default: for every "
    "hyperparameter enough for its grid and four values beyond]",
)
@click.option(
    "--grid",
    "grids",
    metavar="NAME=V1,V2,...",
    multiple=True,
    help="Values of a hyperparameter of another package's optimiser that are searched.  [default: of its learning rate "
    "those of Adam, or what the package declares]",
)
@click.option(
    "--choose-bound",
    is_flag=True,
    help="For several bounds: judge each on a validation part, so that the frontier can show, at every L, the run at "
    "the best bound of at most L. Three more runs a bound for optimisers that nothing is tuned of; the others have "
    "their searches.",
)
@click.option(
    "--shard",
    metavar="I/N",
    default=WHOLE,
    help="Make part I of N, counted from 1, of what the rest of the command asks for: a part a machine, then "
    "normbench records merge.",
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
    seeds: range,
    bounds: Sequence[float],
    scales: Sequence[float],
    layers_text: str | None,
    width: int | None,
    depth: int | None,
    settings: Sequence[str],
    grids: Sequence[str],
    tune: str,
    tuning_budget: int | None,
    choose_bound: bool,
    shard: str,
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
      normbench run --optimiser torch.optim:NAdam --set weight_decay=0.01 --lipschitz 20
      normbench run --width 25 --depth 6 --iterations 500 --backend torch
      normbench run --seeds 10..19 --shard 1/4 --out part1
      normbench run --format json > runs.jsonl
    """
    from normbench.campaigns.campaign import Campaign
    from normbench.campaigns.samples import Samples
    from normbench.campaigns.wanted import Wanted, plan_of
    from normbench.presentation.progress import campaign_progress
    from normbench.records.store import RECORDS, Store

    wanted = Wanted(
        tasks=[*tasks, *(table.kept() for table in tables)],
        optimisers=optimisers,
        backends=backends,
        seeds=seeds,
        lipschitz=bounds,
        output_scale=scales,
        layers=options.parse_layers(layers_text),
        width=width,
        depth=depth,
        tune=tune,
        tuning_budget=tuning_budget,
        choose_bound=choose_bound,
        shard=shard,
        settings=settings,
        grids=grids,
        axes=given,
    )
    say = partial(click.echo, err=True)
    chosen = options.choose_backends(backends)
    store = Store(out / RECORDS)
    probe_folder(store.directory)
    _mention_compilations(chosen)
    samples = Samples(data_dir)
    plan = plan_of(wanted, chosen, samples, say)
    kept = set(store.kept())
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
