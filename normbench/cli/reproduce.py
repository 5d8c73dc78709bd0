"""``normbench reproduce``: the published experiments again, measured beside published, as tables and figures."""

import importlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from normbench.backends.trajectory import Status
from normbench.campaigns.campaign import Campaign
from normbench.campaigns.engine.engine import results_of
from normbench.campaigns.engine.workers import Workers
from normbench.cli import options
from normbench.cli.choices import Choice, SuggestingGroup
from normbench.cli.errors import CHECK_FAILED
from normbench.cli.output import FIGURES, print_failures
from normbench.cli.workers import given_workers
from normbench.errors import BackendUnavailableError
from normbench.papers.experiment import Experiment, File, Found
from normbench.papers.experiments import EXPERIMENTS
from normbench.papers.runs import ABOUT_TASKS, Setting
from normbench.presentation.libraries import drawing_libraries
from normbench.presentation.progress import campaign_progress
from normbench.presentation.terminal import console
from normbench.records.schema import Record
from normbench.records.store import Store
from normbench.writing import probe_folder


@click.group("reproduce", cls=SuggestingGroup)
def command() -> None:
    """Repeat a published experiment.

    Measured figures are printed beside the published ones, where there are any; drawings go to the sub-folder
    figures of the results, each as SVG and PDF with its data as CSV.

    \b
    Examples:
      normbench reproduce experiment1 --seeds 4
      normbench reproduce experiment2 --seeds 2 --backend jax
      normbench reproduce fromage-figure1
      normbench reproduce fromage-figure3 --task mnist
      normbench reproduce fromage-gan --backend torch
      normbench reproduce neural-lander --seeds 8
    """


def _options(experiment: Experiment) -> list[options.Decorator]:
    """What a user can choose, in the order of the help."""
    found = []
    if len(experiment.tasks) > 1:
        about = "; ".join(f"{task} is {ABOUT_TASKS[task]}" for task in experiment.tasks) + "."
        kind, usual = Choice(experiment.tasks), experiment.tasks[0]
        found.append(click.option("--task", type=kind, default=usual, show_default=True, help=about))
    found.append(options.seeds(experiment.seeds))
    if len(experiment.backends) > 1:
        found.append(options.backend(experiment.backends))
    if len(experiment.tasks) > 1:
        found.append(options.data_dir)
    return [*found, given_workers, *([options.out] if experiment.keeps else [])]


def _command(experiment: Experiment) -> click.Command:
    def reproduce(
        *,
        seeds: int,
        workers: Workers,
        task: str = experiment.tasks[0],
        backend: str | None = None,
        data_dir: Path | None = None,
        out: Path | None = None,
    ) -> None:
        only = experiment.backends[0] if len(experiment.backends) == 1 else None
        if experiment.drawn_by:
            with drawing_libraries():
                importlib.import_module(experiment.drawn_by)
        named = backend or only
        chosen = options.choose_backends([named] if named else [])[0]
        setting = Setting(task, chosen, seeds, data_dir)
        found = _found(experiment, setting, workers, out)
        _show(experiment, setting, found, out)
        if print_failures([run for run in found.records if run.outcome.status == Status.FAILED]):
            raise click.exceptions.Exit(CHECK_FAILED)

    made: Callable[..., Any] = reproduce
    for option in reversed(_options(experiment)):
        made = option(made)
    return click.command(experiment.name, help=experiment.about)(made)


def _found(experiment: Experiment, setting: Setting, workers: Workers, out: Path | None) -> Found:
    """Everything that the experiment runs; what is stored is not made again."""
    if out is not None:
        probe_folder(out / FIGURES)
    plan, say = experiment.plan(setting), partial(click.echo, err=True)
    records: list[Record] = []
    if out is not None and (plan.requests or plan.searches):
        with campaign_progress() as on_progress:
            records = Campaign(Store.of_results(out), setting.samples, workers, on_progress, say).run(plan)
    looks = experiment.jobs(setting, records)
    if looks:
        _ = setting.dataset  # generated or downloaded once, before the workers read it
    finished = iter(range(1, len(looks) + 1))
    results = results_of(looks, workers, on_done=lambda job: say(f"{next(finished)} of {len(looks)} done"), say=say)
    return Found(records, [row for result in results for row in result])


def _show(experiment: Experiment, setting: Setting, found: Found, out: Path | None) -> None:
    """Print tables, write files and say where; without the libraries that draw, an optional picture is left out."""
    try:
        with drawing_libraries():
            for shown in experiment.show(setting, found):
                if isinstance(shown, str):
                    click.echo(shown)
                elif isinstance(shown, File) and out is not None:
                    for path in shown.save(out / FIGURES):
                        click.echo(path)
                else:
                    console().print(shown)
    except BackendUnavailableError as error:
        click.echo(f"No figure: {error}", err=True)


for entry in EXPERIMENTS:
    command.add_command(_command(entry))
