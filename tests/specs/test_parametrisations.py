"""Which optimiser and which network go with which parametrisation, and what the refusals say."""

import pytest

from normbench import specs
from normbench.errors import InvalidArgumentError
from normbench.networks import Network, perceptron
from normbench.networks.activations import ACTIVATIONS, LeakyRelu, Relu
from normbench.networks.layers import BatchNorm, Dense
from normbench.specs import SPECS, Geometry, base, parametrisations
from normbench.specs.parametrisations import PARAMETRISATIONS, Parametrisation
from tests.networks.examples import BENT, OTHERS

pytestmark = pytest.mark.quick

PERCEPTRON = perceptron((4, 5, 3))
KNOWN = (
    "free",
    "sphere",
    "spectral",
    "ball",
    "sandwich",
    "bjorck",
)  # to the claims below


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_every_optimiser_runs_through_its_default_and_can_move_the_variables_of_all_that_it_runs_through(spec):
    keys = parametrisations.through(spec)
    assert keys[0] == spec.parametrisation
    for key in keys:
        declared = parametrisations.resolve(spec, key, PERCEPTRON)
        assert parametrisations.geometry(spec, declared) in spec.geometries


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_a_reason_is_declared_only_where_the_geometry_would_do(spec):
    others = [key for key, p in PARAMETRISATIONS.items() if set(spec.geometries) & set(p.geometries)]
    others.remove(spec.parametrisation)
    declared = [
        (key, reason) for named, reason in spec.unsuited for key in (others if named == base.OTHERS else [named])
    ]
    for key, reason in declared:
        assert set(spec.geometries) & set(PARAMETRISATIONS[key].geometries)
        with pytest.raises(InvalidArgumentError, match=f"'{key}': {spec.key} {reason}"):
            parametrisations.resolve(spec, key, PERCEPTRON)


@pytest.mark.parametrize(
    ("optimiser", "expected", "bounded"),
    [
        ("method1", ("sphere",), ("sphere",)),
        ("adam", ("free", "spectral", "sandwich", "bjorck"), ("spectral", "sandwich", "bjorck")),
        ("lbfgs", ("free", "spectral", "sandwich", "bjorck"), ("spectral", "sandwich", "bjorck")),
        ("muon", ("free", "spectral", "bjorck"), ("spectral", "bjorck")),
        ("scion", ("ball", "sandwich"), ("ball", "sandwich")),
        ("muon_cap", ("ball", "sandwich"), ("ball", "sandwich")),
        ("adam_clip", ("ball", "sandwich"), ("ball", "sandwich")),
        ("muonh", ("sphere",), ("sphere",)),
        ("riemannian_cg", ("sphere", "ball", "sandwich"), ("sphere", "ball", "sandwich")),
        ("riemannian_tr", ("sphere", "ball", "sandwich"), ("sphere", "ball", "sandwich")),
        ("adamh", ("sphere",), ("sphere",)),
        ("agd", ("free",), ()),
        ("fgsgd", ("free",), ()),
    ],
)
def test_what_an_optimiser_runs_through_with_and_without_a_bound(optimiser, expected, bounded):
    spec = specs.get(optimiser)
    for bound, known in ((False, expected), (True, bounded)):
        keys = parametrisations.through(spec, bounded=bound)
        assert tuple(key for key in keys if key in KNOWN) == known


def test_a_bound_picks_the_first_parametrisation_that_keeps_one():
    spec = specs.get("adam")
    assert parametrisations.resolve(spec, None, PERCEPTRON).key == "free"
    assert parametrisations.resolve(spec, None, PERCEPTRON, bounded=True).key == "spectral"


@pytest.mark.parametrize(
    ("optimiser", "key", "bounded", "message"),
    [
        ("method1", "ball", False, "on spheres, where this one has matrices in spectral balls. Choose sphere."),
        ("adam", "sphere", False, "moves free variables, where this one has matrices on spheres. Choose free or"),
        ("adam", "free", True, "has no bound through it. Choose spectral or sandwich"),
        ("agd", None, True, "agd runs through no parametrisation that keeps a bound"),
        ("agd", "spectral", True, "norms of prescription 1. Choose another optimiser"),
        ("adam", "spectrum", False, "no parametrisation 'spectrum'. Did you mean 'spectral'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason_and_the_remedy(optimiser, key, bounded, message):
    with pytest.raises(InvalidArgumentError) as caught:
        parametrisations.resolve(specs.get(optimiser), key, PERCEPTRON, bounded=bounded)
    assert message in str(caught.value)


@pytest.mark.parametrize("key", PARAMETRISATIONS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_of_a_perceptron(key, activation):
    network = perceptron((4, 5, 3), ACTIVATIONS[activation])
    if key == "sandwich" and activation == "maxmin":
        with pytest.raises(InvalidArgumentError, match=r"'sandwich' takes .* got MaxMin"):
            parametrisations.check_network(PARAMETRISATIONS[key], network)
    else:
        parametrisations.check_network(PARAMETRISATIONS[key], network)


def test_a_slope_whose_certificate_nobody_declared_is_refused_by_the_sandwich_alone():
    network = perceptron((4, 5, 3), LeakyRelu(1.5))
    parametrisations.check_network(PARAMETRISATIONS["ball"], network)
    with pytest.raises(InvalidArgumentError, match=r"got LeakyRelu\(slope=1.5\)"):
        parametrisations.check_network(PARAMETRISATIONS["sandwich"], network)


@pytest.mark.parametrize(
    "network",
    [
        perceptron((4, 3)),
        Network((4,), (Dense(4, 5), Dense(5, 3))),
        Network((4,), (Dense(4, 5), Relu(), Dense(5, 3), Relu())),
        BENT,
    ],
    ids=["no-hidden-layer", "no-activation", "activation-at-the-end", "convolutions"],
)
def test_the_sandwich_takes_dense_layers_and_activations_in_turn(network):
    parametrisations.check_network(PARAMETRISATIONS["ball"], network)
    with pytest.raises(InvalidArgumentError, match="'sandwich' takes"):
        parametrisations.check_network(PARAMETRISATIONS["sandwich"], network)


@pytest.mark.parametrize(("name", "layer"), [("resnet18", "Residual"), ("transformer", "Embedding")])
def test_a_layer_without_a_gain_is_for_free_weights_alone(name, layer):
    parametrisations.check_network(PARAMETRISATIONS["free"], OTHERS[name])
    parametrisations.check_network(PARAMETRISATIONS["sphere"], OTHERS[name])
    for key in ("sphere", "spectral", "ball"):
        with pytest.raises(
            InvalidArgumentError, match=f"{key!r} keeps a bound, and layer ({layer}|{BatchNorm.__name__})"
        ):
            parametrisations.check_network(PARAMETRISATIONS[key], OTHERS[name], bounded=key == "sphere")


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_the_weights_themselves_move_where_the_paper_has_it_so_in_any_network(spec):
    own = PARAMETRISATIONS[spec.parametrisation]
    for network in (PERCEPTRON, OTHERS["resnet18"]) if own.plain else ():
        assert parametrisations.way(spec, None, network) is None
        assert parametrisations.way(spec, spec.parametrisation, network) is None
    for key in parametrisations.through(spec)[own.plain :]:
        found = parametrisations.way(spec, key, PERCEPTRON)
        assert found.parametrisation.key == key
        assert found.geometry in spec.geometries
        assert found.geometry in found.parametrisation.geometries
        assert hash(found)


def test_the_default_is_the_first_of_an_optimisers_own_that_has_weights_for_the_network():
    geodesic = specs.get("geodesic_lbfgs")
    maxmin = perceptron((4, 6, 3), ACTIVATIONS["maxmin"])
    assert [parametrisations.resolve(geodesic, None, n).key for n in (PERCEPTRON, maxmin, BENT)] == [
        "sandwich",
        "ball",
        "ball",
    ]
    assert parametrisations.resolve(specs.get("adam"), None, OTHERS["resnet18"]).key == "free"
    with pytest.raises(InvalidArgumentError, match=r"Residual.* has no gain"):
        parametrisations.resolve(specs.get("adam"), None, OTHERS["resnet18"], bounded=True)


@pytest.mark.parametrize("changes", [{"geometries": ()}, {"activations": ("swish",)}], ids=str)
def test_an_inconsistent_declaration_raises(changes):
    fields = {"geometries": (Geometry.FREE,)} | changes
    with pytest.raises(InvalidArgumentError, match="'k' needs geometries"):
        Parametrisation(key="k", title="t", source="s", equation="e", bounded=False, **fields)
