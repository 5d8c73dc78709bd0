"""Index sets, scales and initial weights: Definition 1, eq. 2 and table 2 of FG-SGD, on examples done by hand."""

import math
from itertools import product

import numpy as np
import pytest

from normbench.errors import InvalidArgumentError
from normbench.specs import manifolds
from tests.agreement.manifolds.conftest import GROUPINGS, KERNELS, PERCEPTRON, Case, components, largest_departure

SHAPES = (*PERCEPTRON, *KERNELS, (1, 1), (1, 6), (40, 9, 3, 3))


def sets_of(shape, grouping="pio", groups=2, partition_seed=0, layer=0):
    options = {"grouping": grouping, "groups": groups, "partition_seed": partition_seed, "layer": layer}
    return manifolds.partition(shape, **options), manifolds.blocks(shape, **options)


@pytest.mark.parametrize("groups", [1, 2, 3, 100])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_entry_lies_in_exactly_one_product(shape, grouping, groups):
    sets, blocks = sets_of(shape, grouping, groups)
    counts = np.zeros(shape[:2], dtype=int)
    for rows, columns in product(sets.outputs, sets.inputs):
        counts[np.ix_(rows, columns)] += 1
    assert (counts == 1).all()
    counts[:] = 0
    for block in blocks:
        np.add.at(counts, (block.rows[:, :, None], block.columns[:, None, :]), 1)
    assert (counts == 1).all()
    assert len(blocks) <= 4
    assert sum(len(block.rows) for block in blocks) == len(sets.outputs) * len(sets.inputs)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_schemes_split_the_sides_that_they_name(shape):
    outputs, inputs = (min(3, channels) for channels in shape[:2])
    for grouping, expected in (("pi", (1, inputs)), ("po", (outputs, 1)), ("pio", (outputs, inputs))):
        sets, _ = sets_of(shape, grouping, 3)
        assert (len(sets.outputs), len(sets.inputs)) == expected


def test_sets_are_of_nearly_equal_size():
    sets, _ = sets_of((11, 23), groups=4)
    assert sorted(map(len, sets.outputs)) == [2, 3, 3, 3]
    assert sorted(map(len, sets.inputs)) == [5, 6, 6, 6]


def as_lists(sets):
    return [part.tolist() for part in (*sets.outputs, *sets.inputs)]


def test_the_sets_come_from_the_seed_and_the_layer_alone():
    first = as_lists(sets_of((20, 20))[0])
    manifolds.partition.cache_clear()
    assert as_lists(sets_of((20, 20))[0]) == first
    assert as_lists(sets_of((20, 20), partition_seed=1)[0]) != first
    assert as_lists(sets_of((20, 20), layer=1)[0]) != first


def test_cached_sets_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        sets_of((20, 20))[0].outputs[0][0] = 1


def test_a_set_is_random_and_drawn_without_replacement():
    # hypergeometric: of 40 channels in two sets, about half of the first 20 come to the first set
    shares = [(sets_of((40, 2), "po", partition_seed=s)[0].outputs[0] < 20).sum() for s in range(200)]
    assert np.mean(shares) == pytest.approx(10, abs=4 * math.sqrt(20 / 4 * 20 / 39 / 200))
    assert np.var(shares) == pytest.approx(20 / 4 * 20 / 39, rel=0.4)


@pytest.mark.parametrize(
    ("shape", "positions", "expected"),
    [((25, 12), 1, 37), ((25, 12), 64, 37), ((8, 3, 5, 5), 1, 83), ((8, 3, 5, 5), 100, 875), ((8, 3, 1, 1), 4, 35)],
)
def test_equation_2_by_hand(shape, positions, expected):
    assert manifolds.scale(shape, positions=positions) == pytest.approx(expected**-0.5, rel=1e-15)


@pytest.mark.parametrize("positions", [None, (64, 16, 4, 1)], ids=["one", "many"])
@pytest.mark.parametrize("shapes", [PERCEPTRON, KERNELS], ids=["perceptron", "kernels"])
def test_initial_weights_lie_on_their_scaled_manifolds(manifold, grouping, shapes, positions):
    case = Case(manifold, grouping, shapes, groups=3)
    positions = positions[: len(shapes)] if positions else None
    assert largest_departure(case.onto(case.draw(1), positions), case, positions) < 1e-14


def test_initial_weights_stay_where_they_are_on_their_manifolds(manifold):
    case = Case(manifold, "pio", KERNELS)
    for once, twice in zip(case.weights, case.onto(case.weights), strict=True):
        np.testing.assert_allclose(twice, once, rtol=0, atol=1e-15)


def test_the_projected_point_is_the_nearest_one(manifold):
    case = Case(manifold, "pio", PERCEPTRON[:1], groups=1)
    (drawn,), (weight,) = case.draw(1), case.weights
    gamma = manifolds.scale(weight.shape)
    for seed in range(100):
        (other,) = case.onto((weight + 0.3 * np.random.default_rng(seed).normal(size=weight.shape),))
        assert np.linalg.norm(drawn - weight / gamma) < np.linalg.norm(drawn - other / gamma)


@pytest.mark.parametrize("shape", [(4,), (4, 3, 2), (4, 3, 2, 2, 2)], ids=str)
def test_a_weight_without_components_raises_with_its_shape(shape):
    with pytest.raises(InvalidArgumentError, match=r"weight 1 has shape \(4,"):
        Case("sphere", "pio").onto((np.ones((2, 2)), np.ones(shape)))


def test_a_zero_component_raises(manifold):
    drawn = np.ones((4, 4, 3, 3))
    drawn[1, 2] = 0
    with pytest.raises(InvalidArgumentError, match="a component of weight 0 is zero"):
        Case(manifold, "pio").onto((drawn,))


@pytest.mark.parametrize("wrong", [("cube", "pio"), ("sphere", "oi")], ids=str)
def test_an_unknown_name_raises(wrong):
    with pytest.raises(InvalidArgumentError, match="must be one of"):
        Case(*wrong).onto((np.ones((2, 2)),))


def norms(component):
    """The three norms of table 2; the last as section 3 defines it, the sum of the Euclidean norms of the rows."""
    rows = np.linalg.norm(component, axis=1)
    return np.linalg.norm(component, 2), np.linalg.norm(component), rows.sum()


@pytest.mark.parametrize("seed", range(20))
def test_the_norms_of_table_2_and_what_is_true_of_its_last_row(seed):
    A, B = 5, 3
    drawn = np.random.default_rng(seed).normal(size=(1, 1, A, B))
    slack = 1e-12
    for manifold, frobenius, row_sums in (
        ("sphere", 1.0, (1.0, math.sqrt(A))),  # table 2: 1, which is the least
        ("stiefel", math.sqrt(B), (B, math.sqrt(A * B))),  # table 2: B^(1/4), which is too small for B > 1
        ("oblique", math.sqrt(B), (math.sqrt(B), math.sqrt(A * B))),  # table 2: B^(1/4), likewise
    ):
        (weight,) = Case(manifold, "pio").onto((drawn,))
        spectral, size, rows = norms(weight[0, 0] / manifolds.scale(weight.shape))
        assert size == pytest.approx(frobenius, rel=1e-14)
        assert row_sums[0] - slack <= rows <= row_sums[1] + slack
        assert frobenius / math.sqrt(B) - slack <= spectral <= frobenius + slack
        if manifold == "stiefel":
            assert spectral == pytest.approx(1.0, rel=1e-14)


def test_the_last_row_of_table_2_is_refuted_by_the_identity():
    spectral, frobenius, rows = norms(np.eye(4))
    assert (spectral, frobenius, rows) == (1.0, 2.0, 4.0)
    assert rows != 4**0.25


@pytest.mark.parametrize("shapes", [PERCEPTRON, KERNELS], ids=["perceptron", "kernels"])
@pytest.mark.parametrize("scheme", GROUPINGS)
def test_scaled_components_have_spectral_and_frobenius_norms_of_at_most_1(manifold, scheme, shapes):
    # section 4: the Frobenius norm is gamma sqrt(B) at most, and B is no more than the fan-in
    case = Case(manifold, scheme, shapes)
    for layer, weight in enumerate(case.weights):
        sets, _ = sets_of(weight.shape, scheme, layer=layer)
        for component in components(weight, sets):
            assert np.linalg.norm(component, 2) <= np.linalg.norm(component) + 1e-15 <= 1.0
