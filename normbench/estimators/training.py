"""From a table to a plain network in the table's units, and the proof of its bound: one run, until it is done."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from normbench import specs
from normbench.backends import Start
from normbench.backends.trajectory import Status, Trainer
from normbench.certificates import Certificate
from normbench.certificates.constant import KIND as CONSTANT
from normbench.certificates.stored import StoredNetwork
from normbench.errors import DataError, TrainingError, argument
from normbench.estimators.batches import batches_of_a_pass, feed
from normbench.estimators.input_maps import InputMap
from normbench.estimators.samples import Samples, folded, mean
from normbench.estimators.settings import Settings
from normbench.estimators.stopping import Advanced, until_settled, until_worse
from normbench.estimators.surroundings import usual_settings
from normbench.estimators.threads import few_threads
from normbench.estimators.trained_bound import WIDEST, WIDEST_OF_LOGITS, trained_bound
from normbench.networks import Loss
from normbench.networks.families import perceptron
from normbench.problems.bound import at_bound
from normbench.problems.problem import Problem
from normbench.reference.network import forward
from normbench.running.export import proven
from normbench.running.sizes import check_sizes
from normbench.running.start import bounded_start
from normbench.specs import parametrisations

_ROWS = 1000  # that are looked at together


@dataclass(frozen=True, eq=False)
class Fit:
    """A trained network.

    Attributes
    ----------
    network : StoredNetwork
        In the units of the table.
    certificate : Certificate
        Of its bound in these units.
    losses : array, shape (passes + 1,)
        Weighted mean of ||prediction - y||^2 / 2 in the squared unit of y, or of the cross-entropy; a pass is an
        iteration on all rows, or one over all mini-batches.
    held_out : array, shape (passes + 1,)
        The same of the samples that were held out; empty where none were.
    converged : bool
        False where ``max_iter`` ended it.
    dead : bool
        Whether the outputs are the same for every row, though the targets vary: some layer's units are zero on all of
        them, and no gradient comes through it.
    """

    network: StoredNetwork
    certificate: Certificate
    losses: np.ndarray
    held_out: np.ndarray
    converged: bool
    dead: bool = False


def regression(settings: Settings, inputs: InputMap, table: Samples, held_out: Samples | None) -> Fit:
    """A network for targets in their own unit, y = mean + output_scale f(z).

    Parameters
    ----------
    settings : Settings
    inputs : InputMap
        Fitted to them.
    table : Samples
        x of shape (samples, columns) and y of (samples, outputs), float64.
    held_out : Samples or None
        Which say when to end and which iterate to keep.

    Raises
    ------
    InvalidArgumentError, BackendUnavailableError
    DataError
        If float64 does not hold the squares of the targets.
    TrainingError
        If the loss did not stay finite.
    """
    y, weight = table.y, table.weight
    still = y.min(axis=0) == y.max(axis=0)
    if still.all():
        return _constant(settings, inputs, table.x.shape[1], y[0])
    with np.errstate(over="ignore", invalid="ignore"):
        centre = np.where(still, y[0], mean(y, weight))
        size = math.sqrt(mean(np.square(y - centre).sum(axis=1), weight))
    if not 0.0 < size < math.inf:
        raise DataError(f"y spreads by {size}, whose square float64 does not hold. Choose another unit for y.")
    aside = held_out and held_out._replace(y=held_out.y - centre)
    bound = trained_bound(settings.lipschitz, inputs.unit, size, WIDEST, settings.trained_in)
    run = _run(settings, inputs, table._replace(y=y - centre), aside, bound)
    return _proven(settings, inputs, run, centre)


def classification(settings: Settings, inputs: InputMap, table: Samples, held_out: Samples | None, classes: int) -> Fit:
    """A network for the classes 0, 1, ... of y, whose outputs are logits; the rest as :func:`regression`."""
    one_hot = np.eye(classes)
    aside = held_out and held_out._replace(y=one_hot[held_out.y])
    bound = trained_bound(settings.lipschitz, inputs.unit, 1.0, WIDEST_OF_LOGITS, settings.trained_in)
    run = _run(settings, inputs, table._replace(y=one_hot[table.y]), aside, bound, classes)
    return _proven(settings, inputs, run, np.zeros(classes))


class _Run(NamedTuple):
    problem: Problem
    way: parametrisations.Way | None
    ended: Advanced


def _run(
    settings: Settings, inputs: InputMap, table: Samples, held_out: Samples | None, bound: float, classes: int = 0
) -> _Run:
    """Train to ``bound``, in units of y per unit of z."""
    spec, loss = settings.spec, Loss.CROSS_ENTROPY if classes else Loss.SQUARE
    batches = batches_of_a_pass(len(table.x), settings.batch_size)
    z, y = folded(_network_inputs(inputs, table), loss)
    network = perceptron((z.shape[1], *settings.hidden, y.shape[1]))
    check_sizes(network.weight_shapes, iterations=0, given_by=("hidden",))
    start = at_bound(
        (z, y),
        (z[:1], y[:1]) if held_out is None else folded(_network_inputs(inputs, held_out), loss),
        network,
        lipschitz=bound,
        seed=settings.seed,
        loss=loss,
        classes=classes,
    )
    problem = bounded_start(_quiet(start), spec, settings.parametrisation)
    key = parametrisations.resolve(spec, settings.parametrisation, problem.network, bounded=True).key
    seen, entries = settings.batch_size or len(z), sum(weight.size for weight in problem.weights)
    with usual_settings(settings.chosen_backend):
        trainer = _trainer(settings, problem, key, settings.max_iter * batches)
        with few_threads(seen, entries):
            ended = (until_settled if held_out is None else until_worse)(trainer, settings, batches)
    if ended.whole.status is Status.DIVERGED:
        raise TrainingError(
            f"{ended.whole.reason}. Scale X or y to sizes near 1, raise {argument('lipschitz')}, or choose another "
            f"{argument('optimiser')}."
        )
    return _Run(problem, parametrisations.way(spec, key, problem.network), ended)


def _network_inputs(inputs: InputMap, part: Samples) -> Samples:
    constants = np.tile(inputs.constants, (len(part.x), 1))
    return part._replace(x=np.concatenate([inputs.mapped(part.x), constants], axis=1))


def _quiet(problem: Problem) -> Problem:
    """The problem with smaller weights where its logits are larger than 1 at first, as they are at wide bounds."""
    if problem.loss is Loss.SQUARE:
        return problem  # its start is held against the targets
    squares = np.square(forward(problem.network, problem.weights, problem.x_train))
    size = float(np.sqrt((problem.y_train.sum(axis=1, keepdims=True) * squares).mean()))  # with the rows' weights
    factor = min(1.0, 1.0 / size) if size > 0.0 else 1.0
    return replace(problem, weights=tuple(factor ** (1 / len(problem.weights)) * w for w in problem.weights))


def _trainer(settings: Settings, problem: Problem, key: str, steps: int) -> Trainer:
    backend, spec = settings.chosen_backend, settings.spec
    hyperparameters = spec.resolve(settings.hyperparameters or {})
    if spec.family is specs.Family.PLUG_IN and backend.plug_ins is not None:
        backend.plug_ins.load()(spec.key, hyperparameters)  # raises where it cannot be made
    start = Start(
        problem=problem,
        optimiser=spec.key,
        hyperparameters=hyperparameters,
        iterations=steps,
        dtype=settings.trained_in,
        device="cpu",
        feed=feed(problem, settings.batch_size, settings.seed),
        parametrisation=key,
    )
    return backend.trainer.build(start)


def _proven(settings: Settings, inputs: InputMap, run: _Run, mean: np.ndarray) -> Fit:
    """The network per unit of x, with ``mean`` added to its outputs, and its proof."""
    scale, columns = run.problem.output_scale, run.problem.network.input_shape[0] - len(inputs.constants)
    bare = _stored(settings, inputs, scale)
    proof = proven(run.problem, run.ended.kept, run.way, scale=bare.gain_scale, inputs=columns)
    if proof is None:
        raise TrainingError("the trained weights are not finite. Scale X or y to sizes near 1.")
    if proof.certificate.bound > settings.lipschitz:
        raise TrainingError(
            f"only {proof.certificate.bound!r} is proven, and {argument('lipschitz')} is {settings.lipschitz!r}."
        )
    first, *others = proof.weights
    biases = [first[:, columns:] @ np.array(inputs.constants), *(np.zeros(len(w)) for w in others)]
    biases[-1] = scale * biases[-1] + mean  # those of the last layer come behind the scale
    network = replace(
        bare,
        weights=(np.ascontiguousarray(first[:, :columns]), *others),
        biases=tuple(biases),
        witness=proof.certificate.arrays(),
    )
    unit = scale**2 if run.problem.loss is Loss.SQUARE else 1.0
    ended, dead = run.ended, _dead(run.problem, proof.weights)
    return Fit(network, proof.certificate, unit * ended.losses, unit * ended.held_out, ended.converged, dead)


def _dead(problem: Problem, weights: Sequence[np.ndarray]) -> bool:
    """Whether the network, which has no biases, is zero on all rows it was trained on; the first ones mostly say."""
    starts = range(0, len(problem.x_train), _ROWS)
    return not any(forward(problem.network, weights, problem.x_train[k : k + _ROWS]).any() for k in starts)


def _constant(settings: Settings, inputs: InputMap, columns: int, mean: np.ndarray) -> Fit:
    """The network for targets that do not vary: weights of zero, and a bound of 0."""
    widths = (columns, *settings.hidden, len(mean))
    biases = (*(np.zeros(width) for width in settings.hidden), mean)
    certificate = Certificate(CONSTANT, 0.0)
    network = replace(
        _stored(settings, inputs, 1.0),
        weights=tuple(np.zeros((fan_out, fan_in)) for fan_in, fan_out in pairwise(widths)),
        biases=biases,
        witness=certificate.arrays(),
    )
    return Fit(network, certificate, np.zeros(1), np.empty(0), converged=True)


def _stored(settings: Settings, inputs: InputMap, output_scale: float) -> StoredNetwork:
    """The maps on both sides of a network that has no layers yet."""
    return StoredNetwork(
        (),
        output_scale,
        float(settings.lipschitz),
        {},
        input_map=inputs.name,
        input_mean=inputs.mean,
        input_scale=inputs.scale,
        input_spread=inputs.spread,
    )
