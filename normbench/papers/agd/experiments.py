"""Figures 5 to 7 of arXiv 2304.05187 (AGD) on the benchmark's regression: tuned rivals, width and depth, batch size."""

import math
from collections.abc import Iterator, Sequence

from normbench.campaigns.plan import Plan, Search
from normbench.data.splits import split_indices
from normbench.papers.agd.batches import batch_rows
from normbench.papers.checkpoints import UpdateSizeJob
from normbench.papers.experiment import Experiment, Found, RowsJob, Setting, Shown
from normbench.papers.runs import DEFAULT, PAPER_LAYERS, TINY, asked, perceptron_layers
from normbench.papers.tables import frame_table
from normbench.records.schema import Record
from normbench.running.request import AXES, RunRequest, request

FIGURE5_WIDTH, FIGURE5_DEPTH, FIGURE5_ITERATIONS = 32, 8, 600
FIGURE5_GRIDS = {"adam": (1e-4, 1e-3, 1e-2, 1e-1, 1.0), "sgd": (1e4, 1e5, 1e6, 1e7, 1e8)}
_LOOKS = 40  # iterations at which the size of an update is measured, about

FIGURE6_DEPTHS, FIGURE6_WIDTHS, FIGURE6_ITERATIONS = (2, 4, 8, 16), (16, 32, 64), 600
FIGURE7_BATCHES, FIGURE7_EPOCHS = (32, 256, 4096, None), 30  # None: the whole training set


def figure5(task: str, backend: str, seeds: Sequence[int]) -> list[RunRequest]:
    """Figure 5: AGD, Adam and SGD on eight layers; the latter two to be tuned on ``FIGURE5_GRIDS``."""
    layers = perceptron_layers(width=FIGURE5_WIDTH, depth=FIGURE5_DEPTH)
    return [
        asked(task, backend, seed, optimiser, layers, FIGURE5_ITERATIONS, others, dtype="float64")
        for optimiser, others in (("agd", DEFAULT), ("adam", TINY), ("sgd", DEFAULT))
        for seed in seeds
    ]


def figure6(task: str, backend: str, seeds: Sequence[int]) -> list[RunRequest]:
    """Figure 6: AGD over depth and width."""
    return [
        asked(task, backend, seed, "agd", perceptron_layers(width=width, depth=depth), FIGURE6_ITERATIONS)
        for depth in FIGURE6_DEPTHS
        for width in FIGURE6_WIDTHS
        for seed in seeds
    ]


def figure7(task: str, backend: str, seeds: Sequence[int], *, samples: int) -> list[RunRequest]:
    """Figure 7: AGD over batch size, the same number of epochs each, on a training set of ``samples``."""
    return [
        asked(
            task,
            backend,
            seed,
            "agd",
            PAPER_LAYERS,
            FIGURE7_EPOCHS * (samples // (batch or samples)),
            dtype="float64",
            batch_size=batch,
        )
        for batch in FIGURE7_BATCHES
        for seed in seeds
    ]


def tuned_plan(requests: Sequence[RunRequest]) -> Plan:
    """AGD as it is, the others at the best learning rate of their grids, searched on the first seed."""
    searches = [
        Search("learning_rate", grid, own[0], tuple(own))
        for optimiser, grid in FIGURE5_GRIDS.items()
        if (own := [run for run in requests if run.optimiser == optimiser])
    ]
    return Plan(tuple(run for run in requests if run.optimiser == "agd"), tuple(searches))


def _plan5(setting: Setting) -> Plan:
    return tuned_plan(figure5(setting.task, setting.backend, range(setting.seeds)))


def _updates(setting: Setting, records: Sequence[Record]) -> list[RowsJob]:
    from normbench.papers.agd import figures

    looks = tuple(range(0, FIGURE5_ITERATIONS, math.ceil(FIGURE5_ITERATIONS / _LOOKS)))
    return [UpdateSizeJob(_request_of(run), setting.data_dir, looks) for run in figures.chosen_runs(records)]


def _request_of(run: Record) -> RunRequest:
    return request(**{axis.name: getattr(run, axis.name) for axis in AXES})


def _show5(setting: Setting, found: Found) -> Iterator[Shown]:
    from normbench.papers.agd import figures

    records = figures.chosen_runs(found.records)
    title = f"AGD against tuned Adam and SGD, {FIGURE5_DEPTH} layers, on {setting.task}"
    yield frame_table(figures.rivals_summary(records), title=title)
    yield figures.figure5(records, found.rows)


def _plan6(setting: Setting) -> Plan:
    return Plan(tuple(figure6(setting.task, setting.backend, range(setting.seeds))))


def _show6(setting: Setting, found: Found) -> Iterator[Shown]:
    from normbench.papers.agd import figures

    picture = figures.figure6(found.records)
    title = f"AGD over depth and width: final test RMS on {setting.task}"
    yield frame_table(figures.grid_summary(picture.data), title=title)
    yield figures.published_extremes()
    yield picture


def _samples(setting: Setting) -> int:
    return len(split_indices(setting.dataset, rule="random", seed=0).train)


def _plan7(setting: Setting) -> Plan:
    runs = figure7(setting.task, setting.backend, range(setting.seeds), samples=_samples(setting))
    return Plan(tuple(runs))


def _show7(setting: Setting, found: Found) -> Iterator[Shown]:
    from normbench.papers.agd import figures

    picture = figures.figure7(
        batch_rows(found.records, samples=_samples(setting), epochs=FIGURE7_EPOCHS),
        setting.origin(setting.backend, found.records[0].dtype),
        network="-".join(map(str, PAPER_LAYERS)),
        epochs=FIGURE7_EPOCHS,
    )
    title = f"AGD over batch size after {FIGURE7_EPOCHS} epochs on {setting.task}"
    yield frame_table(figures.batch_summary(picture.data), title=title)
    yield picture


_FIGURES = "normbench.papers.agd.figures"
EXPERIMENTS = (
    Experiment(
        "agd-figure5",
        "AGD against tuned Adam and SGD on eight layers.",
        seeds=1,
        plan=_plan5,
        jobs=_updates,
        show=_show5,
        drawn_by=_FIGURES,
    ),
    Experiment("agd-figure6", "AGD over width and depth.", seeds=1, plan=_plan6, show=_show6, drawn_by=_FIGURES),
    Experiment(
        "agd-figure7",
        "AGD over the size of its mini-batches.",
        seeds=3,
        plan=_plan7,
        show=_show7,
        drawn_by=_FIGURES,
    ),
)
