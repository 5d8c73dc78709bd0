"""What a run leaves to those who use the network: plain float64 weights and the proof of their bound."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from normbench import certificates, specs
from normbench.backends.trajectory import Trajectory
from normbench.certificates import Certificate
from normbench.certificates.sandwich import sandwich
from normbench.certificates.stored import StoredNetwork
from normbench.errors import InvalidArgumentError
from normbench.networks.activations import Activation, name_of
from normbench.problems.problem import Problem
from normbench.reference.parametrisations import chart
from normbench.running.request import RunRequest
from normbench.specs import parametrisations

SECONDS = 2.0  # for the certificate of a run; that of the paper's network takes a tenth of one


class Export(NamedTuple):
    """The trained network as files hold it, and the certificate among its arrays."""

    network: StoredNetwork
    certificate: Certificate


def exported(request: RunRequest, problem: Problem, trajectory: Trajectory) -> Export | None:
    """The trained network as matrices with one activation between them, with the tightest certificate found.

    Outputs are in physical units for inputs of norm 1, or logits. Where the run moved variables of a parametrisation,
    they are scaled by what rounding in a lower precision made them exceed their bound of 1, and the weights are made of
    them anew in float64. None where a weight is not finite, or the network is none of such matrices.

    Parameters
    ----------
    request : RunRequest
    problem : Problem
    trajectory : Trajectory
    """
    way = parametrisations.way(specs.get(request.optimiser), request.parametrisation, problem.network)
    bare = _bare(problem, request.lipschitz)
    proof = proven(problem, trajectory, way, scale=bare.gain_scale)
    if proof is None:
        return None
    arrays = proof.certificate.arrays()
    network = replace(bare, weights=proof.weights, witness=arrays, activation=name_of(proof.activation))
    return Export(network, proof.certificate)


def _bare(problem: Problem, asked: float | None) -> StoredNetwork:
    """The maps of inputs of norm 1 and of outputs, without weights; one scale for both where c f(x) = f(c x)."""
    scale, norm = problem.output_scale, problem.input_norm
    if norm == 1.0 or all(layer.is_homogeneous for layer in problem.network.layers if isinstance(layer, Activation)):
        return StoredNetwork((), scale * norm, asked, {})
    mean = np.zeros(math.prod(problem.network.input_shape))
    return StoredNetwork((), scale, asked, {}, input_mean=mean, input_scale=1.0 / norm)


class Proof(NamedTuple):
    """Matrices with one activation between them, and the tightest certificate of them that was found."""

    weights: tuple[np.ndarray, ...]
    activation: Activation
    certificate: Certificate


def proven(
    problem: Problem,
    trajectory: Trajectory,
    way: parametrisations.Way | None,
    *,
    scale: float,
    inputs: int | None = None,
) -> Proof | None:
    """The trained network as matrices, with the tightest certificate found; None as for :func:`exported`.

    Parameters
    ----------
    problem : Problem
    trajectory : Trajectory
    way : Way or None
        From the variables that the run moved to the weights.
    scale : float
        What a bound of the matrices is multiplied by.
    inputs : int, optional
        How many inputs differ from sample to sample, the first ones. The columns of the others, which are biases, are
        left out of the first matrix: no difference of outputs has a part of them.
    """
    if not all(np.isfinite(w).all() for w in (*trajectory.weights, *trajectory.variables)):
        return None
    made = chart(*way, problem.network.weight_shapes) if way is not None and trajectory.variables else None
    variables = trajectory.variables if made is None else made.clipped(trajectory.variables)
    try:
        matrices, activation = certificates.stretches(
            problem.network, trajectory.weights if made is None else made.weights(variables)
        )
    except InvalidArgumentError:
        return None
    varying = _varying(matrices, inputs)
    found = certificates.certify(varying, activation=activation, output_scale=scale, time_limit=SECONDS).certificate
    if made is not None and (factors := made.witness(variables)):
        network = certificates.plain(varying, activation, scale)
        gain = problem.network.gain  # of the constant factors behind the last layer
        own = sandwich(network, a=factors["a"], b=_varying(factors["b"], inputs), psi=factors["psi"], gain=gain)
        found = min(found, own, key=lambda certificate: certificate.bound)
    return Proof(tuple(matrices), activation, found)


def _varying(matrices: Sequence[np.ndarray], inputs: int | None) -> list[np.ndarray]:
    """The matrices, the first one without the columns of inputs that never differ."""
    first, *others = matrices
    return [first[:, :inputs], *others]
