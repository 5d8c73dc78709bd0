"""Every bound holds, keeps its place in the order, and stands where others have found it."""

import math

import numpy as np
import pytest

from normbench.certificates import Status, certify, verify
from normbench.certificates.combettes_pesquet import combettes_pesquet
from normbench.certificates.eclipse_fast import eclipse_fast
from normbench.certificates.lipsdp import lipsdp
from normbench.certificates.plain import plain
from normbench.certificates.product import product
from normbench.certificates.rescaling import rescaled_weights, rescaling
from tests.certificates.networks import KINDS, gaussian, largest_gain, odd

ROUNDING = 1 + 1e-9
TOLERANCE = 1 + 3e-6  # of the searches

# widths of gaussian(k, ...), and LipSDP-Neuron by cvxpy 1.9.3 with Clarabel 0.11.1 (test_against_others.py)
CLARABEL = [
    ((12, 25, 30, 15, 3), 2.1701597278688225),
    ((3, 7, 1, 5, 2), 1.2696051352728202),
    ((2, 9, 4), 1.8126907047517005),
    ((10, 3, 8, 6), 4.112119240613018),
    ((1, 5, 5, 1), 1.4086124909049125),
    ((6, 40, 2), 1.6939475717056094),
    ((4, 6, 6, 6, 6, 6, 3), 4.735949818567493),
]


@pytest.mark.quick
@pytest.mark.parametrize(("seed", "widths", "value"), [(k, *case) for k, case in enumerate(CLARABEL)])
def test_lipsdp_is_what_a_solver_for_such_programs_finds(seed, widths, value):
    found = lipsdp(plain(gaussian(seed, *widths)))
    assert found.status is Status.OPTIMAL
    assert value * (1 - 1e-7) < found.bound < value * (1 + 2 * found.gap)
    assert found.gap < 1e-6


def ordered(weights, found, gain):
    """Assert that the bounds by kind are above the gain and in the order that is proven of them."""
    of = {kind: certificate.bound for kind, certificate in found.items()}
    assert all(bound >= gain / ROUNDING for bound in of.values())
    assert all(bound <= of["product"] * TOLERANCE for bound in of.values())
    if "lipsdp" in of:
        assert of["lipsdp"] <= of["rescaled"] * TOLERANCE
        assert of["lipsdp"] <= of["eclipse_fast"] * TOLERANCE


def by_kind(weights, activation="relu"):
    return {a.kind: a.certificate for a in certify(weights, activation=activation).attempts if a.certificate}


@pytest.mark.parametrize("seed", range(18))
def test_odd_networks_have_every_bound_and_none_is_below_a_gain(seed):
    kind, weights = odd(seed)
    found = by_kind(weights)
    assert len(found) == (1 if "constant" in found or len(weights) == 1 else 5), kind
    if "constant" not in found:
        ordered(weights, found, largest_gain(weights, seed, climbs=3))
    for certificate in found.values():
        verify(weights, certificate)
        assert certificate.status in (Status.CLOSED_FORM, Status.OPTIMAL), kind
        assert 0.0 <= certificate.gap < 1e-5


def test_closed_forms_of_a_thousand_odd_networks():
    seen = dict.fromkeys(KINDS, 0)
    for seed in range(1000, 2000):
        kind, weights = odd(seed)
        network = plain(weights)
        if network.is_constant:
            assert largest_gain(weights, seed, points=5) == 0.0
            continue
        seen[kind] += 1
        found = {made.kind: made for made in (product(network), combettes_pesquet(network), eclipse_fast(network))}
        assert len(found) == 3, (seed, kind)
        ordered(weights, found, largest_gain(weights, seed, points=10))
        assert all(math.isfinite(made.bound) for made in found.values()), (seed, kind)
    assert min(seen.values()) > 30


@pytest.mark.parametrize("seed", range(9))
def test_maxmin_has_the_bounds_that_hold_for_it(seed):
    kind, weights = odd(seed)
    found = by_kind(weights, "maxmin")
    assert set(found) <= {"constant", "product", "rescaled"}
    for certificate in found.values():
        verify(weights, certificate, activation="maxmin")
        for scales in certificate.witness.get("scales", ()):
            assert np.array_equal(scales[: len(scales) // 2 * 2 : 2], scales[1::2]), kind


@pytest.mark.quick
def test_a_swap_of_maxmin_may_not_be_scaled_apart():
    """The outputs are max(x, y / 100) and 100 min(x, y / 100): the second is 100 x where x < y / 100."""
    weights = [np.diag([1.0, 0.01]), np.diag([1.0, 100.0])]
    assert by_kind(weights)["rescaled"].bound == pytest.approx(1.0, rel=1e-5)
    assert by_kind(weights, "maxmin")["rescaled"].bound >= 100.0


@pytest.mark.quick
def test_a_bound_scales_with_weights_and_outputs():
    weights = gaussian(5, 3, 6, 4, 2)
    alone = certify(weights).bound
    for scale in (1e-30, 3.0, 1e30):
        assert certify([weights[0] * scale, *weights[1:]], output_scale=-2.0).bound == pytest.approx(
            2 * alone * scale, rel=1e-5
        )


@pytest.mark.quick
def test_bounds_beyond_float64_are_infinite_and_below_it_positive():
    large, small = [np.full((2, 2), 1e200)] * 3, [np.full((2, 2), 1e-200)] * 3
    for weights, bound in ((large, math.inf), (small, 5e-324)):
        found = certify(weights)
        assert found.bound == bound
        for attempt in found.attempts:
            if attempt.certificate:
                verify(weights, attempt.certificate)


@pytest.mark.quick
def test_rescaled_neurons_compute_the_same():
    weights = gaussian(6, 4, 7, 5, 3)
    network = plain(weights)
    scales = rescaling(network).witness["scales"]
    rescaled = rescaled_weights(weights, scales)
    x = np.random.default_rng(0).normal(size=(4, 20))
    outputs = []
    for layers in (weights, rescaled):
        h = x
        for weight in layers[:-1]:
            h = np.maximum(weight @ h, 0.0)
        outputs.append(layers[-1] @ h)
    assert np.allclose(*outputs, rtol=1e-12)
    norms = math.prod(np.linalg.norm(weight, 2) for weight in rescaled)
    assert norms < product(network).bound * 0.9


@pytest.mark.quick
def test_the_rescaled_product_has_no_better_neighbour():
    network = plain(gaussian(7, 3, 5, 4, 2))
    best = rescaling(network)
    rng = np.random.default_rng(1)
    for step in (1e-1, 1e-2, 1e-3):
        for _ in range(50):
            near = [s * np.exp(step * rng.normal(size=len(s))) for s in best.witness["scales"]]
            value = math.prod(np.linalg.norm(w, 2) for w in rescaled_weights(network.given, near))
            assert value >= best.bound * (1 - 3e-6)


@pytest.mark.quick
def test_combettes_and_pesquet_written_out():
    a, b, c = gaussian(8, 3, 5, 4, 2)
    n = np.linalg.norm
    terms = n(c @ b @ a, 2) + n(c, 2) * n(b @ a, 2) + n(c @ b, 2) * n(a, 2) + n(c, 2) * n(b, 2) * n(a, 2)
    assert combettes_pesquet(plain([a, b, c])).bound == pytest.approx(terms / 4, rel=1e-9)


@pytest.mark.quick
def test_eclipse_fast_written_out():
    weights = gaussian(9, 3, 5, 4, 2)
    inner = np.eye(3)
    for weight in weights[:-1]:  # as the paper has it: multipliers 2 / ||K||, halved in the recursion
        k = weight @ np.linalg.inv(inner) @ weight.T
        multiplier = 2.0 / np.linalg.norm(k, 2)
        inner = multiplier * np.eye(len(weight)) - multiplier**2 / 4 * k
    value = math.sqrt(np.linalg.norm(weights[-1] @ np.linalg.inv(inner) @ weights[-1].T, 2))
    assert eclipse_fast(plain(weights)).bound == pytest.approx(value, rel=1e-9)


@pytest.mark.quick
def test_a_search_without_time_ends_with_a_valid_bound_and_says_how_loose_it_is():
    weights = gaussian(0, 12, 25, 30, 15, 3)
    network = plain(weights)
    best = lipsdp(network)
    early = lipsdp(network, start=rescaling(network), deadline=-math.inf)
    verify(weights, early)
    assert early.status is Status.TIME_LIMIT
    assert best.bound < early.bound
    assert early.bound * (1 - early.gap) <= best.bound
    early = rescaling(network, deadline=-math.inf)
    verify(weights, early)
    assert early.status is Status.TIME_LIMIT
    assert early.gap > 0.01
