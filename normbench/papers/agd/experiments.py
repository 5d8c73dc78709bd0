"""Figures 5 to 7 of arXiv 2304.05187 (AGD) on the benchmark's regression: tuned rivals, width and depth, batch size."""

import math
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain

from normbench import specs
from normbench.campaigns.plan import Plan
from normbench.campaigns.search import Search
from normbench.data.splits import split_indices
from normbench.networks.families import layers_text
from normbench.papers.agd.batches import batch_rows
from normbench.papers.checkpoints import UpdateSizeJob
from normbench.papers.experiment import Experiment, Found, RowsJob, Shown
from normbench.papers.runs import DEFAULT, PAPER_LAYERS, TINY, Setting, asked, perceptron_layers
from normbench.papers.tables import frame_table
from normbench.records.schema import Record
from normbench.running.request import RunRequest

FIGURE5_WIDTH, FIGURE5_DEPTH, FIGURE5_ITERATIONS = 32, 8, 600
FIGURE5_GRIDS = {"adam": (1e-4, 1e-3, 1e-2, 1e-1, 1.0), "sgd": (1e4, 1e5, 1e6, 1e7, 1e8)}
_LOOKS = 40  # iterations at which the size of an update is measured, about

FIGURE6_DEPTHS, FIGURE6_WIDTHS, FIGURE6_ITERATIONS = (2, 4, 8, 16), (16, 32, 64), 600
FIGURE7_BATCHES, FIGURE7_EPOCHS = (32, 256, 4096, None), 30  # None: the whole training set


def figure5(setting: Setting) -> Plan:
    """Figure 5: AGD on eight layers, Adam and SGD at the best rate of their grids."""
    layers = perceptron_layers(width=FIGURE5_WIDTH, depth=FIGURE5_DEPTH)

    def runs(optimiser: str) -> tuple[RunRequest, ...]:
        others = TINY if TINY.keys() <= specs.get(optimiser).resolve({}).keys() else DEFAULT
        return asked(setting, optimiser, layers, FIGURE5_ITERATIONS, others, dtype="float64")

    rivals = [(grid, runs(optimiser)) for optimiser, grid in FIGURE5_GRIDS.items()]
    return Plan(runs("agd"), tuple(Search("learning_rate", grid, own) for grid, own in rivals))


def figure6(setting: Setting) -> Plan:
    """Figure 6: AGD over depth and width."""
    networks = [perceptron_layers(width=width, depth=depth) for depth in FIGURE6_DEPTHS for width in FIGURE6_WIDTHS]
    every = (asked(setting, "agd", layers, FIGURE6_ITERATIONS) for layers in networks)
    return Plan(tuple(chain.from_iterable(every)))


def figure7(setting: Setting) -> Plan:
    """Figure 7: AGD over batch size, the same number of epochs each."""
    samples = _samples(setting)
    lengths = {batch: FIGURE7_EPOCHS * (samples // (batch or samples)) for batch in FIGURE7_BATCHES}
    every = (
        asked(setting, "agd", PAPER_LAYERS, iterations, dtype="float64", batch_size=batch)
        for batch, iterations in lengths.items()
    )
    return Plan(tuple(chain.from_iterable(every)))


def _samples(setting: Setting) -> int:
    return len(split_indices(setting.dataset, rule="random", seed=0).train)


def _updates(setting: Setting, records: Sequence[Record]) -> list[RowsJob]:
    from normbench.papers.agd import figures

    looks = tuple(range(0, FIGURE5_ITERATIONS, math.ceil(FIGURE5_ITERATIONS / _LOOKS)))
    return [UpdateSizeJob(run.request, setting.data_dir, looks) for run in figures.chosen_runs(records)]


def _show5(setting: Setting, found: Found) -> Iterator[Shown]:
    from normbench.papers.agd import figures

    records = figures.chosen_runs(found.records)
    title = f"AGD against tuned Adam and SGD, {FIGURE5_DEPTH} layers, on {setting.task}"
    yield frame_table(figures.rivals_summary(records), title=title)
    yield figures.figure5(records, found.rows)


def _show6(setting: Setting, found: Found) -> Iterator[Shown]:
    from normbench.papers.agd import figures

    picture = figures.figure6(found.records)
    title = f"AGD over depth and width: final test RMS on {setting.task}"
    yield frame_table(figures.grid_summary(picture.data), title=title)
    yield figures.published_extremes()
    yield picture


def _show7(setting: Setting, found: Found) -> Iterator[Shown]:
    from normbench.papers.agd import figures

    rows = batch_rows(found.records, samples=_samples(setting), epochs=FIGURE7_EPOCHS)
    source = setting.origin(setting.backend, found.records[0].request.dtype)
    picture = figures.figure7(rows, source, network=layers_text(PAPER_LAYERS), epochs=FIGURE7_EPOCHS)
    title = f"AGD over batch size after {FIGURE7_EPOCHS} epochs on {setting.task}"
    yield frame_table(figures.batch_summary(picture.data), title=title)
    yield picture


_entry = partial(Experiment, drawn_by="normbench.papers.agd.figures")
_ABOUT5 = "AGD against tuned Adam and SGD on eight layers."
EXPERIMENTS = (
    _entry("agd-figure5", _ABOUT5, seeds=1, plan=figure5, jobs=_updates, show=_show5),
    _entry("agd-figure6", "AGD over width and depth.", seeds=1, plan=figure6, show=_show6),
    _entry("agd-figure7", "AGD over the size of its mini-batches.", seeds=3, plan=figure7, show=_show7),
)
