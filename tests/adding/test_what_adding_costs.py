"""What CONTRIBUTING.md says that a new member of each kind costs is all that it costs: in a copy of the package."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import normbench
from tests.adding.plants import PLANTS
from tests.anew import imported_anew

PACKAGE = Path(normbench.__file__).parent
PAGE = PACKAGE.parent / "CONTRIBUTING.md"


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """The command line of a copy that has one new member of every kind, in this process."""
    tree = tmp_path_factory.mktemp("tree")
    shutil.copytree(PACKAGE, tree / PACKAGE.name)  # with what Python has compiled of it
    for plant in PLANTS.values():
        plant.write(tree / PACKAGE.name)
    with imported_anew(tree), pytest.MonkeyPatch.context() as patches:
        from tests.this_process import without_workers

        without_workers(patches)
        from normbench.cli import main

        def call(*words):
            found = CliRunner(env={"COLUMNS": "200"}).invoke(
                main, [word for each in words for word in each.split(" ")], catch_exceptions=False
            )
            assert found.exit_code == 0, found.output
            return found.stdout

        yield call


@pytest.fixture(scope="module")
def run(planted):
    """Training errors of a run of a few digits on every backend that is named, which are the same."""
    from normbench.problems import tasks
    from normbench.running.request import Asked
    from normbench.running.run import run as train

    def errors(optimiser, backends=("reference", "torch"), task="digits", **changes):
        samples = tasks.get(task).dataset()
        few = samples.take(np.arange(60))
        fields = {"task": task, "layers": (64, 4, 10), "optimiser": optimiser, "seed": 0, "iterations": 6, **changes}
        found = [train(Asked(**fields, dtype="float64", backend=each).resolved(), few) for each in backends]
        assert {result.outcome.status for result in found} == {"done"}
        for result in found:
            np.testing.assert_allclose(result.trajectory.loss, found[0].trajectory.loss, rtol=1e-9)
        return found[0]

    return errors


def says(text):
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("kind", PLANTS)
def test_its_steps_on_the_page_name_every_file_that_it_touches(kind):
    page = PAGE.read_text()
    [steps] = re.findall(rf"^(?:## Add an? {kind}$|- \*\*An? {kind}\*\*)(.*?)(?=^## |^- \*\*|\Z)", page, re.M | re.S)
    if kind == "activation":
        steps += page[page.index("- **A layer**") : page.index("- **An activation**")]
    for path in (*PLANTS[kind].new, *PLANTS[kind].lines):
        whole = path.replace("planted_signs", "signsgd")
        folder = f"{Path(path).parts[0]}/"
        assert f"`{whole}`" in steps or ("planted" in whole and f"`{folder}" in steps), path


def test_every_choice_stands_in_the_help(planted):
    text = says(planted("run --help"))
    for option in ("parametrisation", "activation", "initialisation", "schedule", "augmentation"):
        [choices] = re.findall(rf"--{option} ?\[(.*?)\]", text)
        assert "planted" in choices, option
    assert "planted_signs" in text
    assert "planted_peer" in text


def test_an_optimiser_is_a_declaration_three_updates_and_two_classes(run, planted):
    run("planted_signs")
    assert "planted_signs" in planted("list optimisers")
    from normbench.jax import planted_signs
    from normbench.jax.benchmark.methods import METHODS
    from normbench.torch import PlantedSigns

    assert PlantedSigns.key == planted_signs.__name__ == "planted_signs"
    assert METHODS["planted_signs"](learning_rate=0.1, momentum=0.0)


def test_a_peer_is_a_declaration_and_a_line_a_backend(run):
    from normbench.jax.benchmark.methods import METHODS

    run("planted_peer", ("torch",))
    assert METHODS["planted_peer"](learning_rate=0.1)


def test_a_parametrisation_is_a_declaration_its_start_and_a_chart_a_backend(run, planted):
    assert run("adam", parametrisation="planted", lipschitz=5.0).outcome.lipschitz_certificate <= 5.0
    from normbench.running.validation import Scope
    from normbench.specs import get, parametrisations

    assert {"parametrisation": "planted", "lipschitz": 20.0} in Scope().changes("adam")
    assert "planted" not in {key for name in ("agd", "fgsgd") for key in parametrisations.through(get(name))}


def test_an_activation_is_a_class_and_an_entry_in_every_evaluation(run, planted, tmp_path):
    run("agd", activation="planted")
    run("geodesic_lbfgs", ("reference",), parametrisation="sandwich", lipschitz=5.0, activation="planted")
    from normbench.certificates import certify, largest_gain, verify
    from normbench.certificates.stored import read
    from normbench.errors import InvalidArgumentError
    from normbench.exports import exported, to_onnx

    weights = [np.array([[1.0], [-1.0]]), np.array([[1.0, -1.0]])]  # x through ReLUs, which take turns
    found = certify(weights, activation="planted")
    assert {"lipsdp", "eclipse_fast"} <= {attempt.kind for attempt in found.attempts if attempt.certificate}
    verify(weights, found.certificate, activation="planted")
    assert 1.0 < largest_gain(weights, activation="planted") <= found.bound
    named = {f"weight_{k}": weight for k, weight in enumerate(weights)}
    np.savez(tmp_path / "net.npz", activation="planted", **named)
    planted("export", str(tmp_path / "net.npz"), "--c", str(tmp_path / "net.c"))
    assert "if (v[i] > 1) v[i] = (v[i] + 1) / 2;" in (tmp_path / "net.c").read_text()
    with pytest.raises(InvalidArgumentError, match=r"Planted has no entry in exports/onnx_model"):
        to_onnx(exported(read(tmp_path / "net.npz")))


def test_an_initialisation_is_a_function_and_an_entry(run):
    first, usual = (run("adam", initialisation=name).trajectory.loss[0] for name in ("planted", "usual"))
    assert first != usual


def test_a_schedule_is_a_class_and_an_entry(run):
    rates = {name: run("adam", schedule=name).trajectory.step_size for name in ("planted", "constant")}
    assert rates["planted"][-1] < rates["constant"][-1] / 2


def test_an_augmentation_is_a_function_and_an_entry(run):
    names = ("planted", "crop_flip", "none")
    assert (
        len({run("adam", ("reference",), batch_size=32, augmentation=name).trajectory.loss[-1] for name in names}) == 3
    )


def test_a_task_is_an_entry_and_new_data_a_module_and_an_entry(run, planted):
    run("adam", ("reference",), task="planted-few")
    assert "Sixty digits" in says(planted("list tasks --format json"))
    assert "planted-few" in planted("list data")
    assert "planted-few" in planted("data info planted-few")


def test_a_certificate_is_a_module_an_entry_and_an_attempt(planted):
    from normbench.certificates import certify, verify

    weights = [np.ones((3, 2)), np.ones((2, 3))]
    for activation in ("relu", "maxmin"):
        [attempt] = [a for a in certify(weights, activation=activation).attempts if a.kind == "planted"]
        verify(weights, attempt.certificate, activation=activation)


def test_a_paper_is_a_folder_and_an_entry(planted):
    assert "planted-figure" in planted("reproduce --help")
    assert "planted line" in planted("reproduce planted-figure")
