"""Figures 1 to 4 of arXiv 2002.03432 (Fromage) on the benchmark's regression, 1 and 3 on MNIST, its GAN on digits."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain

from normbench.campaigns.plan import Plan, sweep
from normbench.data.dataset import origin
from normbench.networks.families import layers_text
from normbench.papers.experiment import Experiment, Found, RowsJob, Shown
from normbench.papers.fromage import gan
from normbench.papers.fromage.growth import SAMPLES, InvariantGrowthJob, PlainGrowthJob
from normbench.papers.fromage.perturbation import PerturbationJob
from normbench.papers.fromage.published import published_gan, published_on_mnist
from normbench.papers.fromage.sizes import FIGURE1, FIGURE3, TASKS
from normbench.papers.runs import PAPER_LAYERS, Setting, asked
from normbench.papers.tables import frame_table
from normbench.records.schema import Record
from normbench.running.request import Asked, RunRequest
from normbench.specs import OWN, SPECS

FIGURE2_LEARNING_RATE, FIGURE2_ITERATIONS = 0.2, 2400
_EVERY = 20  # iterations between two looks at the norms


def figure1(setting: Setting) -> list[RunRequest]:
    """Figure 1: Fromage at depth 2 and 16, to be perturbed at checkpoints."""
    size = FIGURE1[setting.task]
    rate = {"learning_rate": size.learning_rate}
    networks = [setting.perceptron_layers(width=size.width, depth=depth) for depth in size.depths]
    every = (
        asked(setting, "fromage", layers, size.iterations, rate, dtype="float64", batch_size=size.batch_size)
        for layers in networks
    )
    return list(chain.from_iterable(every))


def figure2(setting: Setting) -> list[RunRequest]:
    """Figure 2: LARS and Fromage at a learning rate at which LARS overflows in time."""
    rate = {"learning_rate": FIGURE2_LEARNING_RATE}
    every = (asked(setting, optimiser, PAPER_LAYERS, FIGURE2_ITERATIONS, rate) for optimiser in ("lars", "fromage"))
    return list(chain.from_iterable(every))


def figure3(setting: Setting) -> Plan:
    """Figure 3: Fromage, Adam (with two epsilons) and SGD over depth, at three learning rates."""
    size = FIGURE3[setting.task]
    networks = [setting.perceptron_layers(width=size.width, depth=depth) for depth in size.depths]
    chosen = [
        (optimiser, {"learning_rate": rate, **others})
        for optimiser, learning_rates, others in size.settings
        for rate in learning_rates
    ]
    every = (
        asked(setting, optimiser, layers, size.iterations, values, dtype="float64", batch_size=size.batch_size)
        for layers in networks
        for optimiser, values in chosen
    )
    return Plan(tuple(chain.from_iterable(every)))


def figure4(setting: Setting) -> Plan:
    """Figure 4: every optimiser that has a learning rate, over its grid."""
    tuned, seeds = [key for key in OWN if SPECS[key].tuned], range(setting.seeds)
    common = Asked(task=setting.task, layers=PAPER_LAYERS, optimiser="", backend="", seed=0)
    return sweep(common, optimisers=tuned, backends=[setting.backend], seeds=seeds)


def _perturbations(setting: Setting, records: Sequence[Record]) -> list[RowsJob]:
    size = FIGURE1[setting.task]
    return [PerturbationJob(run, setting.data_dir, size.checkpoints, size.strengths) for run in figure1(setting)]


def _show1(setting: Setting, found: Found) -> Iterator[Shown]:
    from normbench.papers.fromage import figures

    picture = figures.figure1(found.rows, setting.origin(setting.backend, "float64"), FIGURE1[setting.task])
    title = "Relative change of the input layer's gradient (median over checkpoints)"
    yield frame_table(figures.breakdown_summary(picture.data), title=title)
    yield published_on_mnist(1)
    yield picture


def _growths(setting: Setting, records: Sequence[Record]) -> list[RowsJob]:
    kinds = (InvariantGrowthJob, PlainGrowthJob)
    return [kind(run, setting.data_dir, _EVERY) for kind in kinds for run in figure2(setting)]


def _show2(setting: Setting, found: Found) -> Iterator[Shown]:
    from normbench.papers.fromage import figures

    source = setting.origin(setting.backend, figure2(setting)[0].dtype)
    network = layers_text(PAPER_LAYERS)
    rate = FIGURE2_LEARNING_RATE
    picture = figures.figure2(found.rows, source, network=network, learning_rate=rate, samples=SAMPLES)
    yield frame_table(figures.norm_summary(picture.data), title="Layer norms at the end")
    yield picture


def _show3(setting: Setting, found: Found) -> Iterator[Shown]:
    from normbench.papers.fromage import depth_figure as figures

    picture = figures.figure3(found.records)
    judged = figures.judged(found.records)
    title = f"{judged.words.capitalize()} over depth on {setting.task}, best of three learning rates"
    yield frame_table(figures.depth_summary(picture.data, judged.column), title=title)
    yield published_on_mnist(3)
    yield picture


def _show4(setting: Setting, found: Found) -> Iterator[Shown]:
    from normbench.analysis.sensitivity import learning_rate_sensitivity
    from normbench.presentation.charts import board as figures

    searches = learning_rate_sensitivity(found.records)
    table = searches.pivot_table(index="optimiser", columns="value", values="ratio").rename(columns="{:g}".format)
    what = f"Best training RMS over RMS by learning rate, mean over seeds, {origin(setting.dataset.simulated)} data"
    yield frame_table(table.reset_index(), title=what)
    yield figures.sensitivity(searches)


def _games(setting: Setting, records: Sequence[Record]) -> list[RowsJob]:
    return [
        gan.GanJob(setting.backend, str(optimiser), rate, seed, gan.SIZE)
        for optimiser, rate in published_gan()["learning_rate"].items()
        for seed in range(setting.seeds)
    ]


def _show_gan(setting: Setting, found: Found) -> Iterator[Shown]:
    from normbench.papers.fromage import gan_figure as figures

    printed = published_gan()
    references = [row for seed in range(setting.seeds) for row in gan.reference_rows(seed=seed)]
    source = setting.origin(setting.backend, gan.DTYPE)
    title = f"GAN on {source.data} ({source.runs}): Fréchet distance on principal components, not the paper's FID"
    yield frame_table(figures.gan_summary(found.rows, references, printed), title=title)
    yield figures.gan(found.rows, references, source, printed, size=gan.SIZE)


_entry = partial(Experiment, drawn_by="normbench.papers.fromage.figures", seeds=1)
_DEPTH = "normbench.papers.fromage.depth_figure"
_ABOUT1 = "Loss and gradient break-down under relative perturbations, at depth 2 and 16."
_ABOUT2 = "LARS without the prefactor grows until it overflows, Fromage does not."
_ABOUT3 = "Training over depth: Fromage, Adam and SGD, the best of three learning rates each."
_ABOUT4 = "Learning-rate sensitivity: every optimiser that has a learning rate, over its grid."
EXPERIMENTS = (
    _entry("fromage-figure1", _ABOUT1, jobs=_perturbations, show=_show1, tasks=TASKS),
    _entry("fromage-figure2", _ABOUT2, jobs=_growths, show=_show2),
    _entry("fromage-figure3", _ABOUT3, plan=figure3, show=_show3, tasks=TASKS, drawn_by=_DEPTH),
    _entry("fromage-figure4", _ABOUT4, plan=figure4, show=_show4, drawn_by="normbench.presentation.charts.board"),
    Experiment(
        "fromage-gan",
        "A class-conditional GAN on 8 x 8 digits by Fromage, LARS, Adam and SGD, at the paper's learning rates.",
        seeds=3,
        jobs=_games,
        show=_show_gan,
        drawn_by="normbench.papers.fromage.gan_figure",
        tasks=(gan.SOURCE,),
        backends=tuple(gan.backends()),
    ),
)
