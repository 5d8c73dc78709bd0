"""Every parametrisation, declared once: what an optimiser moves, and the plain network that it stands for.

Whatever runs through one of them ends as weights of a network without biases, which anyone can evaluate. What
optimisers and networks a parametrisation takes follows from the declarations; what it does not take is refused with the
reason.
"""

from typing import NamedTuple

from normbench.errors import InvalidArgumentError
from normbench.networks import Network
from normbench.networks.activations import ACTIVATIONS, Activation, has_unit_slopes
from normbench.networks.base import Layer
from normbench.networks.layers import Dense, Scale
from normbench.specs.base import OTHERS, Geometry, OptimiserSpec, suggestion
from normbench.specs.parametrisation import Certificate as Certificate
from normbench.specs.parametrisation import Parametrisation as Parametrisation

_KERNELS = (
    "A kernel counts as the matrix (channels_out, channels_in size^2); the gain of taking patches is the network's."
)

FREE = Parametrisation(
    key="free",
    title="Free weights",
    source="the paper of each optimiser",
    equation="W_k",
    geometries=(Geometry.FREE,),
    bounded=False,
    plain=True,
    notes=("The bound is known after training alone.",),
)
SPHERE = Parametrisation(
    key="sphere",
    title="Spheres",
    source="arXiv 2312.10672",
    equation="W_k with ||W_k||_F = 1",
    geometries=(Geometry.SPHERE,),
    bounded=True,
    plain=True,
    notes=(_KERNELS,),
)
SPECTRAL = Parametrisation(
    key="spectral",
    title="Spectral normalisation",
    source="arXiv 1811.08027; arXiv 1802.05957",
    equation="W_k = V_k / ||V_k||_op",
    geometries=(Geometry.FREE,),
    bounded=True,
    notes=(
        "The top singular pair is that of a full decomposition, not of a power iteration, and its derivative is exact.",
        "A variable of zero has no norm to be divided by: its weight is NaN, and the run ends as diverged.",
        _KERNELS,
    ),
)
BALL = Parametrisation(
    key="ball",
    title="Spectral ball",
    source="this project",
    equation="W_k with ||W_k||_op <= 1, the top block of Q_k = [W_k; V_k] with Q_k^T Q_k = I",
    geometries=(Geometry.STIEFEL,),
    bounded=True,
    notes=("A matrix that is wider than tall is the top block after it has been transposed.", _KERNELS),
)
SANDWICH = Parametrisation(
    key="sandwich",
    title="Sandwich",
    source="arXiv 2301.11526",
    equation="W_1 = B_1, W_k = 2 B_k A_{k-1}^T, W_L = 2 A_{L-1}^T with ||[A_k B_k]||_op <= 1",
    geometries=(Geometry.STIEFEL, Geometry.FREE),
    bounded=True,
    certificate=Certificate.SANDWICH,
    activations=tuple(name for name, known in ACTIVATIONS.items() if has_unit_slopes(known)),
    in_turn=True,
    notes=(
        "On the Stiefel manifold the variables are M_k = [A_k B_k], k < L: A_k is square but for the last one, whose "
        "columns are the outputs.",
        "Free, they are X_k and psi_k: the Cayley transform of X_k gives [A_k B_k] with A_k A_k^T + B_k B_k^T = I, A_k "
        "square; W_k = 2 e^-psi_k B_k A_{k-1}^T e^psi_{k-1}, and the last layer is B_L with no psi of its own.",
        "Slopes in [0, 1] are what the certificate rests on: MaxMin is refused.",
        "The square roots of two of the paper cancel where the activation is homogeneous, and are left out.",
    ),
)
BJORCK_STEPS = 15  # the default of deel-torchlip
BJORCK = Parametrisation(
    key="bjorck",
    title="Björck orthonormalisation",
    source="arXiv 1811.05381; deel-torchlip",
    equation="W_k after 15 steps of W = W (3 I - W^T W) / 2 from V_k / ||V_k||_op",
    geometries=(Geometry.FREE,),
    bounded=True,
    notes=(
        "A step takes a singular value s in [0, 1] to s (3 - s^2) / 2, which is in [s, 1]: the bound holds however far "
        "the iteration has come, and small singular values stay below 1.",
        "The norm of V is exact, see spectral, where deel-torchlip has a few steps of a power iteration, after which "
        "the largest singular value may exceed 1. With --activation maxmin it is the architecture of that library.",
        _KERNELS,
    ),
)

# those above, as they stand there
PARAMETRISATIONS: dict[str, Parametrisation] = {p.key: p for p in vars().values() if isinstance(p, Parametrisation)}


def get(key: str) -> Parametrisation:
    """The declaration of one parametrisation.

    Raises
    ------
    InvalidArgumentError
        If there is none of that key; the message lists the known ones.
    """
    if not isinstance(key, str) or key not in PARAMETRISATIONS:
        raise InvalidArgumentError(
            f"no parametrisation {key!r}.{suggestion(key, PARAMETRISATIONS)} The benchmark knows: "
            f"{', '.join(PARAMETRISATIONS)}."
        )
    return PARAMETRISATIONS[key]


def through(spec: OptimiserSpec, *, bounded: bool = False) -> tuple[str, ...]:
    """The parametrisations that an optimiser runs through; with ``bounded`` those with a bound.

    Its default comes first, then those on the geometry that it names first.
    """
    keys = [key for key, p in PARAMETRISATIONS.items() if not objection(spec, p) and (p.bounded or not bounded)]

    def order(key: str) -> tuple[bool, int]:
        return key != spec.parametrisation, spec.geometries.index(geometry(spec, PARAMETRISATIONS[key]))

    return tuple(sorted(keys, key=order))


def objection(spec: OptimiserSpec, parametrisation: Parametrisation) -> str:
    """Why an optimiser does not run through a parametrisation, as a sentence about it; empty if it does."""
    if not set(spec.geometries) & set(parametrisation.geometries):
        return f"moves {_variables(spec.geometries)}, where this one has {_variables(parametrisation.geometries)}"
    reasons = dict(spec.unsuited)
    others = reasons.get(OTHERS, "") if parametrisation.key != spec.parametrisation else ""
    return reasons.get(parametrisation.key, others)


def geometry(spec: OptimiserSpec, parametrisation: Parametrisation) -> Geometry:
    """Where the variables lie when the optimiser moves them; for a pair without :func:`objection`."""
    return next(g for g in parametrisation.geometries if g in spec.geometries)


class Way(NamedTuple):
    """What an optimiser moves, where that is not the weights as they are; hashable."""

    parametrisation: Parametrisation
    geometry: Geometry


def way(spec: OptimiserSpec, key: str | None, network: Network) -> Way | None:
    """The way from an optimiser's variables to the weights; None where it moves the weights, as its paper has it.

    ``key`` is that of a parametrisation, None for the optimiser's own; errors as :func:`resolve`.
    """
    found = resolve(spec, key, network)
    return None if is_own(spec, found) else Way(found, geometry(spec, found))


def is_own(spec: OptimiserSpec, parametrisation: Parametrisation) -> bool:
    """True if the optimiser moves the weights themselves, as its paper has it."""
    return parametrisation.plain and parametrisation.key == spec.parametrisation


def resolve(spec: OptimiserSpec, key: str | None, network: Network, *, bounded: bool = False) -> Parametrisation:
    """The parametrisation through which an optimiser trains a network: the named one, or its default.

    Parameters
    ----------
    spec : OptimiserSpec
    key : str or None
        None for the optimiser's default, or else the first of its own that has weights for the network and, where a
        bound is asked for, keeps one.
    network : Network
    bounded : bool
        True where a Lipschitz bound is asked for.

    Raises
    ------
    InvalidArgumentError
        If optimiser, network or bound does not go with the parametrisation; the message has the reason.
    """
    choices = through(spec, bounded=bounded)
    if key is None and not choices:
        raise InvalidArgumentError(
            f"{spec.key} runs through no parametrisation that keeps a bound. Leave the bound out, or choose another "
            "optimiser."
        )
    if key is None:
        fits = [choice for choice in choices if not misfit(get(choice), network, bounded=bounded)]
        found = get((fits or choices)[0])
    else:
        found = get(key)
    why = objection(spec, found) or ("has no bound through it" if bounded and not found.bounded else "")
    if why:
        rest = f"Choose {' or '.join(choices)}." if choices else "Choose another optimiser."
        raise InvalidArgumentError(
            f"{spec.key} does not run through parametrisation {found.key!r}: {spec.key} {why}. {rest}"
        )
    check_network(found, network, bounded=bounded)
    return found


def check_network(parametrisation: Parametrisation, network: Network, *, bounded: bool = False) -> None:
    """Raise an :class:`InvalidArgumentError` with what :func:`misfit` says, if it does."""
    if why := misfit(parametrisation, network, bounded=bounded):
        raise InvalidArgumentError(f"parametrisation {parametrisation.key!r} {why}")


def misfit(parametrisation: Parametrisation, network: Network, *, bounded: bool = False) -> str:
    """Why the parametrisation has no weights for the network, as the end of a sentence about it; empty if it does.

    Weights that lie on spheres as they are do so in any network; a bound, where one is asked for, needs gains.
    """
    if bounded or (parametrisation.bounded and not parametrisation.plain):
        for layer in network.layers:
            if not _has_gain(layer):
                return (
                    f"keeps a bound, and layer {layer} has no gain from which one would follow. Use dense layers, "
                    "convolutions, activations and pools, or parametrisation free."
                )
    if parametrisation.activations is not None:
        known = [ACTIVATIONS[name] for name in parametrisation.activations]
        for layer in network.layers:
            if isinstance(layer, Activation) and layer not in known and not has_unit_slopes(layer):
                return (
                    f"takes the activations {', '.join(parametrisation.activations)}, and others that act unit by "
                    f"unit with slopes in [0, 1]; got {layer}."
                )
    if parametrisation.in_turn and not _in_turn(network):
        return (
            "takes dense layers with activations between them and nothing else, and at least one hidden layer. Choose "
            "ball or spectral."
        )
    return ""


def _has_gain(layer: Layer) -> bool:
    try:
        return layer.gain >= 0
    except InvalidArgumentError:
        return False


def _in_turn(network: Network) -> bool:
    layers = [layer for layer in network.layers if not isinstance(layer, Scale)]  # a bound of logits ends in one
    dense, between = layers[::2], layers[1::2]
    return (
        len(dense) == len(between) + 1 > 1
        and all(isinstance(layer, Dense) for layer in dense)
        and all(isinstance(layer, Activation) for layer in between)
    )


def _variables(geometries: tuple[Geometry, ...]) -> str:
    words = {
        Geometry.FREE: "free variables",
        Geometry.SPHERE: "matrices on spheres",
        Geometry.STIEFEL: "matrices in spectral balls",
    }
    return " or ".join(words[geometry] for geometry in geometries)
