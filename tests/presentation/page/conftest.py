"""Records with chosen learning curves, the page made from them, and visits to it."""

import numpy as np
import pytest

from normbench.analysis.leaderboard import boards
from normbench.papers.asgd.published import board_rows
from normbench.papers.runs import PAPER_LAYERS, perceptron_layers
from normbench.presentation.page import report_page
from normbench.presentation.page.ways import sections
from normbench.records.store import Store
from normbench.running.result import Curves
from tests.changes import changed

PATIENCE = 180_000  # ms; on two busy cores a frame may take seconds
ITERATIONS = 200
START = 1.25
WINDOW = {"width": 1280, "height": 900}
TASKS = {"quadrotor-sim": True, "neural-fly": False}  # simulated?


@pytest.fixture(scope="session")
def trained(make):
    """A record whose training RMS falls from 1.25 to ``final``, the faster the larger ``speed``, with its counts."""

    def trained_record(optimiser="method1", learning_rate=None, *, final=0.83, speed=0.05, seed=0, **changes):
        k = np.arange(ITERATIONS + 1)
        rms = (final + (START - final) * np.exp(-speed * k)) * (1 + 0.004 * seed)
        checkpoints = range(0, ITERATIONS + 1, 10)
        curves = Curves(
            loss=tuple(0.01 * rms**2),
            step_size=(0.1,) * ITERATIONS,
            test_iterations=tuple(checkpoints),
            test_loss=tuple(0.011 * rms[checkpoints] ** 2),
            seconds=tuple(0.004 * i * (1 + 0.1 * seed) for i in checkpoints),
            loss_evaluations=tuple(int(n) for n in 1 + 2 * k),
            gradient_evaluations=tuple(int(n) for n in 1 + k),
        )
        figures = {
            "train_rms": float(rms[-1]),
            "test_rms": float(1.01 * rms[-1]),
            "train_loss": curves.loss[-1],
            "curves": curves,
            "iterations_done": ITERATIONS,
            "loss_evaluations": 1 + 2 * ITERATIONS,
            "gradient_evaluations": 1 + ITERATIONS,
            "seconds_train": curves.seconds[-1],
            "lipschitz_bound": 15.0 / final**8,
            "lipschitz_certificate": 15.0 / final**8,
            "lipschitz_measured": 6.0 / final**8,
            "seed": seed,
        }
        return make(optimiser, learning_rate, **(figures | changes))

    return trained_record


@pytest.fixture(scope="session")
def records(trained):
    """Two boards with tuned, untuned, failing and searching optimisers on two backends, and four single networks."""
    return [
        *(run for task, simulated in TASKS.items() for run in _board(trained, task=task, simulated=simulated)),
        *(
            trained(layers=perceptron_layers(width=width, depth=depth), backend="jax", final=0.8 + 0.01 * depth)
            for width in (15, 20)
            for depth in (4, 6)
        ),
    ]


def _board(trained, *, task, simulated):
    shared = {"task": task, "simulated": simulated, "layers": PAPER_LAYERS}
    runs = [
        trained("adam", rate, final=0.8 + 0.1 * abs(np.log10(rate) + 2), backend="torch", **shared)
        for rate in (1e-4, 1e-1, 1.0)  # the rest of a search on seed 0
    ]
    for backend, factor in (("torch", 1.0), ("jax", 1.0002)):
        for seed in range(3):
            where = shared | {"backend": backend, "seed": seed}
            runs += [
                trained("method1", final=0.83 * factor, **where),
                trained("adam", 1e-3, final=0.80 * factor, speed=0.02, **where),
                trained("adam", 1e-2, final=0.78 * factor, speed=0.03, tuning_runs=5, **where),
                trained("agd", final=1.05 * factor, **where),
            ]
    lost = trained("agd", backend="torch", **shared, seed=3)
    return [*runs, changed(lost, status="diverged", train_rms=np.nan, test_rms=np.nan, reason="planted")]


@pytest.fixture(scope="session")
def compared(records):
    """Sections of the page that compare optimisers: real flights first, then the simulated ones."""
    return [section for section in sections(boards(records, published=board_rows)) if section.compares]


@pytest.fixture(scope="session")
def html(records):
    return report_page(records)


@pytest.fixture(scope="session")
def page_path(html, records, tmp_path_factory):
    """The page with its records beside it, as ``normbench report`` leaves them."""
    folder = tmp_path_factory.mktemp("results")
    for record in records:
        Store(folder / "records").write(record)
    path = folder / "report.html"
    path.write_text(html, encoding="utf-8")
    return path


class Visit:
    """An open page that keeps what it asked of the network and said on the console."""

    def __init__(self, context, path):
        context.set_default_timeout(PATIENCE)
        self.page = context.new_page()
        self.said, self.asked = [], []
        self.page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        context.route("**/*", self._judge)
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-ready]")

    def _judge(self, route):
        if route.request.url.startswith(("file:", "blob:", "data:")):
            route.continue_()
        else:
            self.asked.append(route.request.url)
            route.abort()

    def draw(self, key=""):
        """Scroll to every chart, or to those whose key begins so, and wait until they are drawn."""
        charts = f".chart[id^='chart-{key}']"
        for chart in self.page.query_selector_all(charts):
            # not scroll_into_view_if_needed(): it waits for a still page, and each chart drawn above moves the next
            chart.evaluate("chart => chart.scrollIntoView({behavior: 'instant'})")
            self.page.wait_for_function("chart => chart.dataset.drawn", arg=chart, polling=50)

    def unfold(self):
        for summary in self.page.query_selector_all("main details:not([open]) > summary"):
            summary.click()


@pytest.fixture(scope="session")
def opened(browser, page_path):
    """One window for every claim that needs no fresh one: all drawn and unfolded; a test sets what it reads."""
    context = browser.new_context(viewport=WINDOW)
    visited = Visit(context, page_path)
    visited.draw()
    visited.unfold()
    yield visited
    context.close()


@pytest.fixture
def visit(browser):
    """Open a file in a fresh window."""
    contexts = []

    def open_page(path, **settings):
        contexts.append(browser.new_context(**({"viewport": WINDOW} | settings)))
        return Visit(contexts[-1], path)

    yield open_page
    for context in contexts:
        context.close()
