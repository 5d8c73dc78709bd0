"""What a run leaves to those who use the network: plain float64 weights and the proof of their bound."""

from typing import NamedTuple

import numpy as np

from normbench import certificates, specs
from normbench.backends.trajectory import Trajectory
from normbench.certificates import Certificate
from normbench.certificates.sandwich import sandwich
from normbench.certificates.stored import StoredNetwork
from normbench.errors import InvalidArgumentError
from normbench.networks.activations import name_of
from normbench.problems.problem import Problem
from normbench.reference.parametrisations import Chart, chart
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
    if not all(np.isfinite(w).all() for w in (*trajectory.weights, *trajectory.variables)):
        return None
    made = _chart(request, problem) if trajectory.variables else None
    variables = trajectory.variables if made is None else made.clipped(trajectory.variables)
    try:
        matrices, activation = certificates.stretches(
            problem.network, trajectory.weights if made is None else made.weights(variables)
        )
    except InvalidArgumentError:
        return None
    scale = problem.output_scale * problem.input_norm
    found = certificates.certify(matrices, activation=activation, output_scale=scale, time_limit=SECONDS).certificate
    if made is not None and (factors := made.witness(variables)):
        network = certificates.plain(matrices, activation, scale)
        gain = problem.network.gain  # of the constant factors behind the last layer
        own = sandwich(network, a=factors["a"], b=factors["b"], psi=factors["psi"], gain=gain)
        found = min(found, own, key=lambda certificate: certificate.bound)
    return Export(StoredNetwork(tuple(matrices), scale, request.lipschitz, found.arrays(), name_of(activation)), found)


def _chart(request: RunRequest, problem: Problem) -> Chart | None:
    way = parametrisations.way(specs.get(request.optimiser), request.parametrisation, problem.network)
    return None if way is None else chart(*way, problem.network.weight_shapes)
