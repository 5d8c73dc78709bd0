"""``normbench run``: train, store, show."""

import shlex
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from normbench.backends import get as get_backend
from normbench.campaigns.engine.workers import Workers
from normbench.cli import options
from normbench.cli.asked_runs import AskedRuns, asked_runs
from normbench.cli.errors import CHECK_FAILED
from normbench.cli.output import print_boards, print_failures, print_problems, print_records, print_remarks
from normbench.cli.workers import given_workers
from normbench.errors import OutputError
from normbench.writing import probe_folder

if TYPE_CHECKING:
    from normbench.campaigns.plan import Plan


@click.command("run")
@asked_runs
@options.data_dir
@given_workers
@options.out
@options.keep_networks
@options.output_format("table", "json", "csv")
def command(
    asked: AskedRuns,
    *,
    data_dir: Path | None,
    workers: Workers,
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

    A campaign file says of many such commands what is run: TOML with a table [[runs]] a command, whose keys are the
    options without their dashes, and a table [defaults] of what all have in common. docs/commands.md has an example.

    \b
    Examples:
      normbench run --quick
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
      normbench run campaign.toml --out results
      normbench run --format json > runs.jsonl
    """
    from normbench.campaigns.campaign import Campaign
    from normbench.campaigns.samples import Samples
    from normbench.presentation.progress import campaign_progress
    from normbench.records.store import Store

    store = Store.of_results(out)
    probe_folder(store.directory)
    samples = Samples(data_dir)
    plan = asked.plan(samples)
    _mention_compilations(plan)
    kept = set(store.kept())
    with campaign_progress() as on_progress:
        campaign = Campaign(store, samples, workers, on_progress, partial(click.echo, err=True), keep_networks)
        records = campaign.run(plan)
    if format_ == "table":
        everything, problems = store.load_all()
        print_problems(problems)
        print_remarks(everything)
        print_boards(everything, "table")
        again = shlex.join(["normbench", "leaderboard", "--out", str(out)])
        click.echo(f"Records: {store.directory}. Show this again: {again}", err=True)
        if asked.note:
            click.echo(asked.note, err=True)
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


def _mention_compilations(plan: "Plan") -> None:
    """Say which backend will compile everything anew because its cache cannot be written."""
    for backend in map(get_backend, dict.fromkeys(run.backend for run in plan.requests)):
        try:
            if backend.compilation_cache is not None:
                backend.compilation_cache()
        except OutputError as error:
            click.echo(f"{backend.title} compiles without a cache: {error}", err=True)
