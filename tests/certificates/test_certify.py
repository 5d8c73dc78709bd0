"""The tightest bound that fits the time, and a word about each that does not."""

import pytest

import normbench
from normbench.certificates import certify, verify
from normbench.errors import InvalidArgumentError
from normbench.networks.activations import LeakyRelu
from tests.certificates.networks import gaussian

pytestmark = pytest.mark.quick


def test_all_bounds_are_tried_and_the_tightest_is_chosen():
    found = certify(gaussian(0, 12, 25, 30, 15, 3))
    kinds = [attempt.kind for attempt in found.attempts]
    assert kinds == ["product", "combettes_pesquet", "eclipse_fast", "rescaled", "lipsdp"]
    assert not any(attempt.note for attempt in found.attempts)
    assert found.certificate.kind == "lipsdp"
    assert found.bound == min(attempt.certificate.bound for attempt in found.attempts)
    assert all(attempt.certificate.seconds > 0.0 for attempt in found.attempts)


def test_without_time_the_product_is_made_and_the_others_are_named():
    found = certify(gaussian(0, 300, 400, 400, 10), time_limit=1e-6)
    assert found.certificate.kind == "product"
    assert [attempt.kind for attempt in found.attempts if attempt.certificate is None] == [
        "combettes_pesquet",
        "eclipse_fast",
        "rescaled",
        "lipsdp",
    ]
    assert all("skipped: about" in attempt.note for attempt in found.attempts[1:])


def test_closed_forms_come_before_a_search_that_takes_all_the_time():
    for limit in (0.5, 1.0, 2.0, 4.0):  # the first suffices, but where other work takes the processor
        found = certify(gaussian(0, 12, *[60] * 15, 3), time_limit=limit)
        of = {attempt.kind: attempt for attempt in found.attempts}
        if of["combettes_pesquet"].certificate and of["eclipse_fast"].certificate:
            break
    else:
        pytest.fail("the search begins before the closed forms are made")
    assert of["lipsdp"].note
    assert found.bound < 0.1 * of["product"].certificate.bound


def test_a_search_that_the_limit_ends_says_so():
    weights = gaussian(0, 64, 200, 200, 10)
    found = certify(weights, time_limit=0.9)
    cut = [attempt for attempt in found.attempts if attempt.note]
    assert cut
    assert all("skipped" in attempt.note or "ended by the time limit" in attempt.note for attempt in cut)
    verify(weights, found.certificate)


def test_one_layer_has_its_operator_norm():
    [attempt] = certify(gaussian(1, 4, 7)).attempts
    assert attempt.kind == "product"


@pytest.mark.parametrize("activation", ["leaky_relu", "tanh", LeakyRelu(0.3), LeakyRelu(1.0)])
def test_slopes_within_one_have_the_bounds_of_relu(activation):
    weights = gaussian(2, 3, 6, 5, 2)
    assert certify(weights, activation=activation).bound == certify(weights).bound


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan"), "soon"])
def test_a_limit_that_is_none_is_refused(limit):
    with pytest.raises(InvalidArgumentError, match="time_limit"):
        certify([[[1.0]]], time_limit=limit)


def test_the_package_lends_it():
    assert normbench.certify is certify
