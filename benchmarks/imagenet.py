"""ResNet-50 on ImageNet as the AGD and Fromage papers train it, measured beside published; for who has data and GPUs.

``python -m benchmarks.imagenet --data-dir DIR --device cuda`` makes both runs, of 350 and 90 epochs, as records that
``normbench leaderboard`` and ``report`` read; what is stored is not made again. ``OMP_NUM_THREADS`` says how many
threads decode. With ``--width 1 --iterations 2 --batch-size 4`` it is a trial of the way from the files to the table.
"""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from normbench.backends import names
from normbench.campaigns.campaign import Campaign
from normbench.campaigns.engine.workers import Workers
from normbench.campaigns.plan import Plan
from normbench.campaigns.samples import Samples
from normbench.cli import options
from normbench.papers.published import table
from normbench.problems import tasks
from normbench.records.schema import Record
from normbench.records.store import Store
from normbench.running.request import DEVICES, Asked, RunRequest

TASK = "imagenet-resnet50"
TRAINING = 1_281_167
RUNS: dict[str, dict[str, Any]] = {  # optimiser to epochs and what differs from the task
    "agd": {"epochs": 350},
    "fromage": {"epochs": 90, "hyperparameters": {"learning_rate": 0.01}, "schedule": "plateau"},
}


def requests(samples: Samples, *, width: int | None, batch_size: int | None, **common: Any) -> tuple[RunRequest, ...]:
    """Both runs; None stands for what the task has."""
    task = tasks.get(TASK)
    batch, iterations = batch_size or task.batch_size or TRAINING, common.pop("iterations")
    fields = {
        "task": TASK,
        "layers": task.layers(samples.of(TASK), None if width is None else (width,)),
        "split": task.split,
        "augmentation": task.augmentation,
        "batch_size": batch,
    }
    return tuple(
        Asked(
            **fields,
            **common,
            **{name: value for name, value in own.items() if name != "epochs"},
            optimiser=optimiser,
            iterations=iterations or own["epochs"] * (TRAINING // batch),
        ).resolved()
        for optimiser, own in RUNS.items()
    )


def rows(records: Sequence[Record]) -> list[str]:
    """Measured beside published, as Markdown."""
    agd, fromage = table("agd", "results"), table("fromage", "table1")
    printed = {
        "agd": f"top-1 {agd[agd['dataset'] == 'ImageNet']['agd'].iloc[0]:g} %",
        "fromage": f"training loss {fromage[fromage['benchmark'] == 'ImageNet']['fromage'].iloc[0]}",
    }
    found = [
        "| optimiser | iterations | top-1 % | loss of the last batch | published |",
        "| --- | --- | --- | --- | --- |",
    ]
    for record in records:
        request, outcome = record.request, record.outcome
        accuracy = math.nan if outcome.test_accuracy is None else 100 * outcome.test_accuracy
        cells = [request.optimiser, f"{request.iterations:,}", f"{accuracy:.1f}", f"{outcome.train_loss:.3f}"]
        found.append(f"| {' | '.join([*cells, printed[request.optimiser]])} |")
    return found


@click.command()
@options.data_dir
@options.out
@click.option("--backend", type=click.Choice(names()), default="torch", show_default=True)
@click.option("--device", type=click.Choice(DEVICES), default="cuda", show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--width", type=click.IntRange(min=1), help="Of the first group.  [default: 64]")
@click.option("--batch-size", type=click.IntRange(min=1), help="[default: 1024]")
@click.option("--iterations", type=click.IntRange(min=1), help="[default: 350 and 90 epochs]")
def main(*, data_dir: Path | None, out: Path, **given: Any) -> None:
    """Train ResNet-50 on ImageNet with AGD and Fromage."""
    samples = Samples(data_dir)
    plan = Plan(requests(samples, **given))
    say = partial(click.echo, err=True)
    campaign = Campaign(Store.of_results(out), samples, Workers(1), lambda tally: None, say)
    click.echo("\n".join(rows(campaign.run(plan))))


if __name__ == "__main__":
    main()
