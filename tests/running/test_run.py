"""A run measures what it says: checkpoints, physical units, status, and a clock with parts that are apart."""

import dataclasses

import numpy as np
import pytest

from normbench.backends.trajectory import Status
from normbench.data.dataset import Dataset
from normbench.data.splits import split_indices
from normbench.errors import BackendUnavailableError, InvalidArgumentError
from normbench.problems import tasks
from normbench.records.identity import identify
from normbench.running.request import Asked, RunRequest
from normbench.running.run import build_plain_trainer, build_trainer, predictors_of, problem_of, run

LAYERS = (12, *tasks.PAPER_HIDDEN, 3)


def asked(**changes: object) -> RunRequest:
    fields = {"task": "quadrotor-sim", "layers": LAYERS, "optimiser": "method1", "backend": "torch", "seed": 0}
    return Asked(**{**fields, "iterations": 30, **changes}).resolved()


@pytest.mark.parametrize("backend", [pytest.param("torch", marks=pytest.mark.quick), "jax"])
def test_run_reports_figures_that_follow_from_its_weights(simulated: Dataset, backend: str) -> None:
    wanted = asked(backend=backend, layers=(12, 9, 13, 3), dtype="float64")
    result = run(wanted, simulated)
    problem = problem_of(wanted, simulated)
    h = problem.x_test
    for weight in result.trajectory.weights[:-1]:
        h = np.maximum(h @ weight.T, 0)
    error = (h @ result.trajectory.weights[-1].T - problem.y_test) * problem.output_scale
    assert result.outcome.test_rms == pytest.approx(np.sqrt((error**2).sum(axis=1).mean()), rel=1e-9)
    assert result.outcome.train_rms == pytest.approx(problem.rms(result.trajectory.loss[-1]), rel=1e-12)
    assert result.outcome.lipschitz_bound == pytest.approx(problem.lipschitz_bound(result.trajectory.weights))
    assert result.outcome.unit == "N"


@pytest.mark.parametrize("rule", ["random", "blocked", "official"])
def test_no_test_sample_reaches_a_run_that_is_judged_on_validation(simulated: Dataset, rule: str) -> None:
    """Of data whose test samples are a million times as large it makes the same numbers; a result does not."""
    published = dataclasses.replace(simulated, official=np.arange(len(simulated.inputs)) % 5 == 0)
    factor = np.ones((len(simulated.inputs), 1))
    factor[split_indices(published, rule=rule, seed=3).test] = 1e6
    spoilt = dataclasses.replace(published, inputs=factor * published.inputs, outputs=factor * published.outputs)
    for judged_on, same in (("validation", True), ("test", False)):
        wanted = asked(seed=3, split=rule, judged_on=judged_on)
        problems = [dataclasses.asdict(problem_of(wanted, data)) for data in (published, spoilt)]
        alike = all(np.array_equal(problems[0][name], problems[1][name]) for name in ("x_train", "x_test", "y_test"))
        assert alike is same
        assert (predictors_of(wanted, published) == predictors_of(wanted, spoilt)) is same
        scales = [found["output_scale"] for found in problems]
        assert scales[0] == scales[1]


def test_test_loss_is_evaluated_at_evenly_spaced_checkpoints(simulated: Dataset) -> None:
    result = run(asked(iterations=40), simulated)
    assert result.outcome.curves.test_iterations == tuple(range(0, 41, 2))
    assert len(result.trajectory.loss) == 41
    assert result.outcome.curves.test_loss[0] > result.outcome.test_loss > 0


def test_clock_keeps_compilation_out_of_training(simulated: Dataset) -> None:
    # an odd number of iterations, so that no other test has compiled this program in this process
    result = run(asked(backend="jax", optimiser="agd", iterations=7), simulated)
    assert result.outcome.seconds_compile > result.outcome.seconds_train > 0
    assert result.outcome.seconds_evaluate > 0
    assert result.outcome.seconds_transfer > 0


def test_stalled_run_ends_early_and_says_why(simulated: Dataset) -> None:
    # 25 samples are learned until float32 cannot tell a smaller loss
    few = {name: getattr(simulated, name)[::1200] for name in ("inputs", "outputs", "time", "flight")}
    result = run(asked(layers=(12, 15, 3), iterations=20_000), dataclasses.replace(simulated, **few))
    assert result.trajectory.status is Status.STALLED
    assert "no step lowers the loss" in result.trajectory.reason
    assert result.trajectory.halvings >= 20
    assert result.outcome.curves.test_iterations[-1] == len(result.trajectory.step_size) < 20_000
    assert np.isfinite(result.outcome.test_rms)


def test_diverged_run_has_no_rms(simulated: Dataset) -> None:
    result = run(asked(optimiser="sgd", hyperparameters={"learning_rate": 1e9}), simulated)
    assert result.trajectory.status is Status.DIVERGED
    assert np.isnan([result.outcome.train_rms, result.outcome.test_rms]).all()


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_missing_gpu_is_one_clear_error(simulated: Dataset, backend: str) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(BackendUnavailableError, match="'cuda' is not available"):
        run(asked(backend=backend, device="cuda"), simulated)


@pytest.mark.gpu
@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_gpu_run_reaches_the_rms_of_the_cpu(simulated: Dataset, backend: str) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device on this machine")
    cpu, gpu = (run(asked(backend=backend, device=d, dtype="float64"), simulated) for d in ("cpu", "cuda"))
    assert gpu.outcome.train_rms == pytest.approx(cpu.outcome.train_rms, rel=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backend": "tensorflow"}, "no backend 'tensorflow'; the benchmark knows torch, jax, reference"),
        ({"dtype": "float16"}, "dtype must be one of"),
        ({"device": "tpu"}, "device must be one of"),
        ({"split": "odd"}, "split must be one of"),
        ({"iterations": 0}, "iterations must be at least 1; got 0"),
        ({"seed": -1}, "seed must be at least 0; got -1"),
        ({"seed": 1.5}, "seed must be an integer of at least 0; got 1.5"),
        ({"seed": 2**63}, "seed must be below 2"),
        ({"iterations": True}, "iterations must be an integer of at least 1; got True. Leave it out"),
        ({"batch_size": "8"}, "batch_size must be an integer of at least 1; got '8'"),
        ({"split": ["random"]}, "split must be one of"),
        ({"layers": (12, 2.5, 3)}, r"at least two positive widths, input first; got \(12, 2.5, 3\)"),
        ({"lipschitz": 1e101}, r"lipschitz must lie in \[1e-100, 1e\+100\]; got 1e\+101"),
        ({"output_scale": 1e-101}, r"output_scale must lie in \[1e-100, 1e\+100\]"),
        ({"optimiser": "frommage"}, "Did you mean 'fromage'"),
        ({"task": "quadrotr"}, "Did you mean 'quadrotor'"),
        ({"hyperparameters": {"lr": 1.0}}, "method1 has no hyperparameter 'lr'"),
        ({"layers": (12,)}, "at least two positive widths"),
        ({"backend": "reference"}, "backend 'reference' runs in float64 on cpu only"),
    ],
)
def test_wrong_request_names_argument_and_value(changes: dict, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        asked(**changes)


def test_equal_numbers_of_every_type_make_one_run_in_the_types_of_records() -> None:
    """A seed of NumPy made a request that no record could hold."""
    plain = {"seed": 3, "iterations": 2, "batch_size": 4, "devices": 1, "lipschitz": 2.0, "layers": (12, 4, 3)}
    beta = {"optimiser": "adam", "hyperparameters": {"learning_rate": 1.0, "beta1": 0.5}}
    expected = asked(**plain, **beta)
    for number, width in ((np.int64, np.int32), (np.array, np.uint8), (int, np.int64)):
        others = {name: number(value) for name, value in plain.items() if name not in ("layers", "lipschitz")}
        others |= {"lipschitz": np.float32(2), "layers": np.array(plain["layers"], width)}
        others |= {"optimiser": "adam", "hyperparameters": {"beta1": np.float32(0.5), "learning_rate": np.int8(1)}}
        found = asked(**dict(reversed(others.items())))
        assert repr(found) == repr(expected)
        assert identify(found, data_sha256="", code_version="") == identify(expected, data_sha256="", code_version="")


def test_layers_that_do_not_fit_the_data_are_refused(simulated: Dataset) -> None:
    with pytest.raises(InvalidArgumentError, match="the first width must be 12 and the last 3"):
        run(asked(layers=(11, 5, 3)), simulated)


def test_paper_network_fits_the_data(simulated: Dataset) -> None:
    assert tasks.get("quadrotor-sim").layers(simulated) == LAYERS


@pytest.mark.parametrize("build", [build_trainer, build_plain_trainer])
def test_a_backend_that_nobody_knows_has_no_trainer(simulated: Dataset, build) -> None:
    wanted = asked()
    with pytest.raises(InvalidArgumentError, match=r"no backend 'numpy'.*torch, jax, reference"):
        build(dataclasses.replace(wanted, backend="numpy"), problem_of(wanted, simulated))


def test_the_reference_has_no_plain_trainer(simulated: Dataset) -> None:
    wanted = asked(backend="reference", dtype="float64")
    with pytest.raises(InvalidArgumentError, match="'reference' has no drop-in classes"):
        build_plain_trainer(wanted, problem_of(wanted, simulated))
