"""Figures 5 to 7 of arXiv 2304.05187 on the benchmark's regression."""

import math

import click

from normbench.campaigns.plan import Plan, Search
from normbench.cli.libraries import drawing_libraries
from normbench.cli.reproduce.setting import Setting, takes_setting
from normbench.papers import experiments
from normbench.papers.agd.minibatch import MinibatchJob
from normbench.papers.checkpoints import UpdateSizeJob
from normbench.papers.reproduce import frame_table
from normbench.presentation.terminal import console
from normbench.running.request import RunRequest

_LOOKS = 40  # iterations at which the size of an update is measured, about


def tuned_plan(requests: list[RunRequest]) -> Plan:
    """AGD as it is, the others at the best learning rate of their grids, searched on the first seed."""
    searches = [
        Search("learning_rate", grid, own[0], tuple(own))
        for optimiser, grid in experiments.AGD5_GRIDS.items()
        if (own := [run for run in requests if run.optimiser == optimiser])
    ]
    return Plan(tuple(run for run in requests if run.optimiser == "agd"), tuple(searches))


@click.command("agd-figure5")
@takes_setting(seeds=1)
def figure5(setting: Setting) -> None:
    """AGD against tuned Adam and SGD on eight layers."""
    with drawing_libraries():
        from normbench.papers.agd import figures as figures
    requests = setting.requests(experiments.agd_figure5)
    records = figures.chosen_runs(setting.records(tuned_plan(requests)))
    looks = tuple(range(0, experiments.AGD5_ITERATIONS, math.ceil(experiments.AGD5_ITERATIONS / _LOOKS)))
    updates = setting.rows([UpdateSizeJob(run.request, setting.data_dir, looks) for run in records])
    title = f"AGD against tuned Adam and SGD, {experiments.AGD5_DEPTH} layers, on {setting.task}"
    console().print(frame_table(figures.rivals_summary(records), title=title))
    setting.save([figures.figure5(records, updates)])


@click.command("agd-figure6")
@takes_setting(seeds=1)
def figure6(setting: Setting) -> None:
    """AGD over width and depth."""
    with drawing_libraries():
        from normbench.papers.agd import figures as figures
    picture = figures.figure6(setting.records(Plan(tuple(setting.requests(experiments.agd_figure6)))))
    title = f"AGD over depth and width: final test RMS on {setting.task}"
    console().print(frame_table(figures.grid_summary(picture.data), title=title))
    click.echo(figures.published_extremes())
    setting.save([picture])


@click.command("agd-figure7")
@takes_setting(seeds=3)
def figure7(setting: Setting) -> None:
    """AGD over the size of its mini-batches, by the NumPy reference; --backend has no say here."""
    with drawing_libraries():
        from normbench.papers.agd import figures as figures
    requests = setting.requests(experiments.agd_figure7)
    rows = setting.rows(
        [
            MinibatchJob(run, setting.data_dir, batch, experiments.AGD7_EPOCHS)
            for run in requests
            for batch in experiments.AGD7_BATCHES
        ]
    )
    picture = figures.figure7(
        rows,
        setting.origin("NumPy reference", "float64"),
        network="-".join(map(str, requests[0].layers)),
        epochs=experiments.AGD7_EPOCHS,
    )
    title = f"AGD over batch size after {experiments.AGD7_EPOCHS} epochs on {setting.task}"
    console().print(frame_table(figures.batch_summary(picture.data), title=title))
    setting.save([picture])


COMMANDS = (figure5, figure6, figure7)
