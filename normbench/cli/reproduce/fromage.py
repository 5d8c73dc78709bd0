"""Figures 1 to 4 of arXiv 2002.03432 on the benchmark's regression."""

import click

from normbench import published
from normbench.campaigns.plan import Plan, sweep
from normbench.cli.libraries import drawing_libraries
from normbench.cli.reproduce.setting import Setting, takes_setting
from normbench.papers import experiments
from normbench.papers.fromage.growth import SAMPLES, InvariantGrowthJob, PlainGrowthJob
from normbench.papers.fromage.perturbation import PerturbationJob
from normbench.papers.reproduce import frame_table
from normbench.presentation.terminal import console
from normbench.problems import tasks
from normbench.specs import OWN, SPECS

_EVERY = 20  # iterations between two looks at the norms


@click.command("fromage-figure1")
@takes_setting(seeds=1)
def figure1(setting: Setting) -> None:
    """Loss and gradient break-down under relative perturbations, at depth 2 and 16."""
    with drawing_libraries():
        from normbench.papers.fromage import figures as figures
    requests = setting.requests(experiments.fromage_figure1)
    steps, strengths = experiments.FROMAGE1_CHECKPOINTS, experiments.FROMAGE1_STRENGTHS
    rows = setting.rows([PerturbationJob(run, setting.data_dir, steps, strengths) for run in requests])
    picture = figures.figure1(
        rows,
        setting.origin(setting.backend, requests[0].dtype),
        width=experiments.FROMAGE1_WIDTH,
        learning_rate=experiments.FROMAGE1_LEARNING_RATE,
    )
    title = "Relative change of the input layer's gradient (median over checkpoints)"
    console().print(frame_table(figures.breakdown_summary(picture.data), title=title))
    setting.save([picture])


@click.command("fromage-figure2")
@takes_setting(seeds=1)
def figure2(setting: Setting) -> None:
    """LARS without the prefactor grows until it overflows, Fromage does not."""
    with drawing_libraries():
        from normbench.papers.fromage import figures as figures
    requests = setting.requests(experiments.fromage_figure2)
    kinds = (InvariantGrowthJob, PlainGrowthJob)
    rows = setting.rows([kind(run, setting.data_dir, _EVERY) for kind in kinds for run in requests])
    picture = figures.figure2(
        rows,
        setting.origin(setting.backend, requests[0].dtype),
        network="-".join(map(str, requests[0].layers)),
        learning_rate=experiments.FROMAGE2_LEARNING_RATE,
        samples=SAMPLES,
    )
    console().print(frame_table(figures.norm_summary(picture.data), title="Layer norms at the end"))
    setting.save([picture])


@click.command("fromage-figure3")
@takes_setting(seeds=1)
def figure3(setting: Setting) -> None:
    """Training over depth: Fromage, Adam and SGD, the best of three learning rates each."""
    with drawing_libraries():
        from normbench.papers.fromage import figures as figures
    picture = figures.figure3(setting.records(Plan(tuple(setting.requests(experiments.fromage_figure3)))))
    title = f"Final training RMS over depth on {setting.task}, best of three learning rates"
    console().print(frame_table(figures.depth_summary(picture.data), title=title))
    setting.save([picture])


@click.command("fromage-figure4")
@takes_setting(seeds=1)
def figure4(setting: Setting) -> None:
    """Learning-rate sensitivity: every optimiser that has a learning rate, over its grid."""
    with drawing_libraries():
        from normbench.presentation.charts import board as figures
    from normbench.analysis.sensitivity import learning_rate_sensitivity

    plan = sweep(
        task=setting.task,
        layers=published.PAPER_LAYERS,
        optimisers=[key for key in OWN if SPECS[key].tuned],
        backends=[setting.backend],
        seeds=range(setting.seeds),
    )
    searches = learning_rate_sensitivity(setting.records(plan))
    table = searches.pivot(index="optimiser", columns="value", values="ratio").rename(columns="{:g}".format)
    data = "SIMULATED" if tasks.get(setting.task).dataset(setting.data_dir).simulated else "real"
    console().print(frame_table(table.reset_index(), title=f"Best training RMS over RMS by learning rate, {data} data"))
    setting.save([figures.sensitivity(searches)])


COMMANDS = (figure1, figure2, figure3, figure4)
