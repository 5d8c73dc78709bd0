"""``normbench reproduce`` writes its figures, and says what is missing where it cannot."""

import sys

import pandas as pd
import pytest
from click.testing import CliRunner

from normbench import data
from normbench.cli import main
from normbench.papers.agd import experiments as agd
from normbench.papers.asgd.published import ITERATIONS
from normbench.papers.fromage import experiments as fromage
from normbench.papers.fromage.sizes import Figure1, Figure3
from tests.small_sets import publish

pytestmark = pytest.mark.usefixtures("in_this_process")


def shrink(monkeypatch):
    """Sizes of the experiments at which a command takes a second."""
    for name in ("method1", "method2"):
        monkeypatch.setitem(ITERATIONS, name, 2)
    small = Figure1(depths=(2,), width=4, iterations=2, checkpoints=(0, 2))
    monkeypatch.setitem(fromage.FIGURE1, "quadrotor-sim", small)
    monkeypatch.setattr(agd, "FIGURE5_WIDTH", 4)
    monkeypatch.setattr(agd, "FIGURE5_DEPTH", 2)
    monkeypatch.setattr(agd, "FIGURE5_ITERATIONS", 3)
    monkeypatch.setattr(agd, "FIGURE5_GRIDS", {"adam": (1e-3, 1e-2), "sgd": (1e5, 1e6)})


def reproduce(name, out, *options):
    arguments = ["reproduce", name, "--backend", "reference", "--jobs", "1", "--seeds", "1", "--out", str(out)]
    return CliRunner(env={"COLUMNS": "120"}).invoke(main, [*arguments, *options], catch_exceptions=False)


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("experiment1", ["experiment1-table1.csv", "experiment1.svg", "experiment1.pdf", "experiment1.csv"]),
        ("fromage-figure1", ["fromage-figure1.svg", "fromage-figure1.pdf", "fromage-figure1.csv"]),
        ("agd-figure5", ["agd-figure5.svg", "agd-figure5.pdf", "agd-figure5.csv"]),
    ],
)
def test_reproduce_writes_figures_and_says_where(name, files, tmp_path, monkeypatch):
    shrink(monkeypatch)
    outcome = reproduce(name, tmp_path)
    assert outcome.exit_code == 0, outcome.output
    expected = [tmp_path / "figures" / file for file in files]
    assert [path for path in expected if not path.is_file()] == []
    assert outcome.stdout.splitlines()[-len(files) :] == [str(path) for path in expected]


@pytest.fixture
def small_mnist(tmp_path, monkeypatch):
    """A folder with twelve images and five for testing, which stand for all of MNIST."""
    monkeypatch.setattr(data, "SOURCES", {**data.SOURCES, "mnist": publish("mnist", tmp_path / "mnist")})
    small = {"depths": (2, 3), "width": 4, "iterations": 2, "batch_size": 6}
    monkeypatch.setitem(fromage.FIGURE1, "mnist", Figure1(**small, checkpoints=(0, 2), strengths=(0.1, 1.0)))
    settings = (("fromage", (0.1, 0.01), {}), ("sgd", (1.0,), {}))
    monkeypatch.setitem(fromage.FIGURE3, "mnist", Figure3(settings, **small))
    return tmp_path / "mnist"


@pytest.mark.parametrize(("figure", "rows", "column"), [(1, 2 * 2 * 2, "rms"), (3, 2 * 3, "train_accuracy_percent")])
def test_a_figure_on_mnist_is_of_its_images_and_beside_it_stands_what_the_paper_saw(
    figure, rows, column, small_mnist, tmp_path
):
    outcome = reproduce(f"fromage-figure{figure}", tmp_path, "--task", "mnist", "--data-dir", str(small_mnist))
    assert outcome.exit_code == 0, outcome.output
    drawn = pd.read_csv(tmp_path / "figures" / f"fromage-figure{figure}-mnist.csv")
    assert len(drawn) == rows
    assert drawn[column].between(0, 100).all()
    assert "Published, MNIST" in outcome.stdout
    assert f"arXiv:2002.03432 Figure {figure}" in " ".join(outcome.stdout.split())
    assert "mnist, real data" in (tmp_path / "figures" / f"fromage-figure{figure}-mnist.svg").read_text()


@pytest.fixture
def without_altair(monkeypatch):
    rooms = (
        "normbench.presentation.charts",
        "normbench.papers.asgd",
        "normbench.papers.agd",
        "normbench.papers.fromage",
    )
    for module in [name for name in sys.modules if name.startswith(rooms)]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "altair", None)


@pytest.mark.usefixtures("without_altair")
def test_experiment1_prints_its_table_without_altair(tmp_path, monkeypatch):
    shrink(monkeypatch)
    outcome = reproduce("experiment1", tmp_path)
    assert outcome.exit_code == 0
    assert "published" in outcome.stdout
    assert "No figure: a figure needs altair, which is not installed" in outcome.stderr
    assert 'pip install ".[report]"' in outcome.stderr
    assert list((tmp_path / "figures").glob("*.svg")) == []


@pytest.mark.usefixtures("without_altair")
def test_a_command_that_only_draws_asks_for_altair_before_it_computes(tmp_path):
    outcome = reproduce("agd-figure6", tmp_path)
    assert outcome.exit_code == 2
    assert 'pip install ".[report]"' in outcome.output
    assert not tmp_path.joinpath("records").exists()
