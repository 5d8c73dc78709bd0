"""Runs at a Lipschitz bound: no iterate exceeds it, in float32 either."""

import numpy as np
import pytest

from normbench import certificates, specs
from normbench.errors import InvalidArgumentError
from normbench.problems import tasks
from normbench.running.export import exported
from normbench.running.request import Asked
from normbench.running.run import build_trainer, problem_of, run
from normbench.specs import parametrisations
from tests.running.few_digits import HIDDEN, few_digits

# torch's own: torch.func.jvp loads decompositions that torch still compiles by torch.jit
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
L = 20.0
LAYERS = (12, 9, 13, 3)
PAIRS = [(key, name) for key, spec in specs.SPECS.items() for name in parametrisations.through(spec, bounded=True)]
IN_JAX = [  # each way from variables to weights; agreement/test_perceptrons.py has the ball, and more that moves
    ("adam", "spectral"),
    ("adam", "sandwich"),
    ("adam", "bjorck"),
    ("geodesic_lbfgs", "sphere"),
]
RUNS = [("torch", *pair) for pair in PAIRS if specs.get(pair[0]).runs_on("torch")]
RUNS += [("jax", *pair) for pair in IN_JAX]


def asked(backend, optimiser, parametrisation, **changes):
    fields = {"task": "quadrotor-sim", "layers": LAYERS, "iterations": 12, "seed": 0, "lipschitz": L}
    given = {"backend": backend, "optimiser": optimiser, "parametrisation": parametrisation}
    return Asked(**fields | given | changes).resolved()


def moving_most(optimiser):
    """The largest rate of the grid, where there is one."""
    rate = specs.get(optimiser).tuned
    return {"hyperparameters": {rate.name: rate.grid[-1]}} if rate else {}


def some_of(simulated):
    return simulated.take(np.arange(0, len(simulated.inputs), 60))


@pytest.fixture(scope="module")
def few(simulated):
    return some_of(simulated)


def proven(request, problem, trajectory):
    """The bound of a verified certificate."""
    found = exported(request, problem, trajectory)
    stored = found.network
    certificates.verify(
        stored.weights,
        certificates.from_arrays(stored.witness),
        activation=stored.activation,
        output_scale=stored.output_scale,
    )
    return found.certificate.bound


def proven_after(request, dataset, steps):
    """Of the iterates after so many steps each."""
    problem = problem_of(request, dataset)
    trainer = build_trainer(request, problem)
    for count in steps:
        trainer.advance(count)
        yield proven(request, problem, trainer.trajectory())


@pytest.mark.parametrize(("backend", "optimiser", "parametrisation"), RUNS, ids=["-".join(run) for run in RUNS])
def test_no_iterate_exceeds_the_bound(few, backend, optimiser, parametrisation):
    """The product of norms in float64 at every iterate, a certificate of the last; of the sandwich, two of them."""
    request = asked(backend, optimiser, parametrisation, **moving_most(optimiser))
    assert (request.dtype, request.parametrisation) == ("float32", parametrisation)
    if parametrisation == "sandwich":  # whose weights have larger norms than the network has a constant
        assert all(bound <= L for bound in proven_after(request, few, (1, 11)))
        return
    problem = problem_of(request, few)
    trainer = build_trainer(request, problem)
    for _ in range(12):
        trainer.advance(1)
        trajectory = trainer.trajectory()
        assert problem.lipschitz_bound(trajectory.weights) <= L
    assert proven(request, problem, trajectory) <= L


@pytest.mark.parametrize("lipschitz", [1e-3, 1e4])
@pytest.mark.parametrize("parametrisation", ["spectral", "sandwich"])
def test_a_tiny_and_a_huge_bound_hold_as_well(few, parametrisation, lipschitz):
    request = asked("torch", "adam", parametrisation, lipschitz=lipschitz)
    assert all(bound <= lipschitz for bound in proven_after(request, few, (0, 4)))


@pytest.mark.parametrize(
    ("task", "optimiser", "parametrisation", "activation"),
    [
        ("digits", "geodesic_lbfgs", "ball", "maxmin"),
        ("digits", "adam", "sandwich", "tanh"),
        ("digits-xent", "adam", "sandwich", "leaky_relu"),
        ("digits-xent", "geodesic_lbfgs", "sandwich", "relu"),
        ("digits-conv", "geodesic_lbfgs", "ball", "relu"),
        ("digits-conv-xent", "adam", "spectral", "relu"),
    ],
)
def test_other_networks_and_losses_keep_it(task, optimiser, parametrisation, activation):
    layers = tasks.get(task).layers(few_digits(), HIDDEN[task])
    request = asked("torch", optimiser, parametrisation, task=task, layers=layers, activation=activation)
    [bound] = proven_after(request, few_digits(), (4,))
    assert 1e-3 * L < bound <= L


def test_a_run_knows_its_certificate_and_the_measured_gain_is_below(few):
    outcome = run(asked("torch", "geodesic_lbfgs", "sandwich", iterations=30), few).outcome
    assert outcome.lipschitz_measured <= outcome.lipschitz_certificate <= L < outcome.lipschitz_bound
    assert outcome.proven_bound == outcome.lipschitz_certificate
    assert outcome.certified_by in ("lipsdp", "sandwich")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"lipschitz": 1e30},
            r"lipschitz=1e\+30 makes the squared targets .*e-60, and float32 .* smaller one, or dtype",
        ),
        ({"lipschitz": 1e-30}, "Choose a larger one, or dtype float64"),
        ({"lipschitz": 1e-30, "task": "digits-xent"}, "gain behind the weights .*e-60.* a larger one"),
        ({"lipschitz": 1e30, "task": "digits-xent"}, "Choose a smaller one"),
        ({"lipschitz": None, "output_scale": 1e30}, r"output_scale=1e\+30 makes the squared targets"),
        ({"lipschitz": None, "output_scale": 1e-30}, "Choose a larger one"),
        ({"lipschitz": None, "output_scale": 1e30, "task": "digits-xent"}, "Choose a smaller one"),
    ],
)
def test_a_unit_whose_losses_the_precision_does_not_hold_is_refused(changes, said, few):
    """Their squares were 0 or infinite: a run of RMS 0, or one that diverged before it began."""
    layers = {"layers": (64, 4, 10)} if "task" in changes else {}
    data = few_digits() if layers else few
    with pytest.raises(InvalidArgumentError, match=said):
        run(asked("torch", "adam", None, **layers, **changes), data)
    assert np.isfinite(run(asked("torch", "adam", None, **layers, **changes, dtype="float64"), data).outcome.test_rms)


def test_names_of_parametrisations_in_requests():
    assert asked("torch", "adam", None).parametrisation == "spectral"
    assert asked("torch", "geodesic_lbfgs", None).parametrisation == "sandwich"
    assert asked("torch", "method1", None).parametrisation == "sphere"
    assert asked("torch", "adam", "free", lipschitz=None) == asked("torch", "adam", None, lipschitz=None)
    with pytest.raises(InvalidArgumentError, match="agd runs through no parametrisation that keeps a bound"):
        asked("torch", "agd", None)
    with pytest.raises(InvalidArgumentError, match=r"lipschitz must be .*-1"):
        asked("torch", "adam", None, lipschitz=-1.0)
    with pytest.raises(InvalidArgumentError, match=r"got output_scale=2 and lipschitz=20\.0\. Leave one out"):
        asked("torch", "adam", None, output_scale=2)
