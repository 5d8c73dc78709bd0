"""Statistics over seeds agree with their textbook definitions, and promise no more than they keep."""

import math

import numpy as np
import pytest
from scipy.stats import bootstrap, ttest_ind, ttest_rel

from normbench.analysis.statistics import (
    RESAMPLES,
    bootstrap_intervals,
    holm,
    paired_difference,
    resampled_counts,
    spread,
    unpaired_difference,
)
from normbench.errors import InvalidArgumentError

pytestmark = pytest.mark.quick


def test_spread_uses_the_sample_standard_deviation():
    figure = spread([1.0, 2.0, 4.0])
    assert (figure.mean, figure.sd, figure.count) == pytest.approx((7 / 3, np.std([1, 2, 4], ddof=1), 3))


def test_one_value_has_no_sd_and_none_has_no_mean():
    assert math.isnan(spread([1.0]).sd)
    assert math.isnan(spread([math.nan]).mean)
    assert spread([1.0, math.nan, math.inf]).count == 1


@pytest.mark.parametrize(("count", "method"), [(20, "BCa"), (8, "BCa"), (7, "percentile"), (3, "percentile")])
def test_the_bootstrap_is_scipys_whatever_stands_beside(count, method):
    values = np.random.default_rng(count).lognormal(size=count)
    expected = bootstrap(
        (values,), np.mean, n_resamples=RESAMPLES, method=method, rng=np.random.default_rng(0)
    ).confidence_interval
    _, found, _ = bootstrap_intervals([[1.0], [*values, math.nan], [1.0, 2.0, 5.0, 6.0]])
    assert found.mean == pytest.approx(values.mean())
    # not the same draws: the rows of the board are resampled together
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.05 * values.std())


def test_the_bootstrap_is_the_same_every_time_and_for_rows_that_differ_by_rounding():
    values = [0.84, 0.82, 0.86]
    first, second = bootstrap_intervals([values, [v * (1 + 1e-9) for v in values]])
    assert bootstrap_intervals([values]) == bootstrap_intervals([values])
    assert (first.low, first.high) == pytest.approx((second.low, second.high), rel=1e-6)


def test_degenerate_samples_have_a_point_or_no_bounds():
    same, single, nothing = bootstrap_intervals([[0.5] * 10, [0.5], [math.nan]])
    assert (same.low, same.mean, same.high) == (0.5, 0.5, 0.5)
    assert (single.mean, math.isnan(single.low), math.isnan(single.high)) == (0.5, True, True)
    assert math.isnan(nothing.mean)
    assert bootstrap_intervals([]) == []


@pytest.mark.parametrize(("count", "share"), [(3, 0.75), (10, 0.90)])
def test_intervals_hold_the_mean_as_often_as_the_caption_says(count, share):
    samples = np.random.default_rng(1).normal(size=(600, count))
    held = np.mean([i.low <= 0 <= i.high for i in bootstrap_intervals(samples.tolist())])
    assert held == pytest.approx(share, abs=0.035)


def test_the_paired_test_is_students_on_log_ratios():
    rng = np.random.default_rng(0)
    old = rng.uniform(0.8, 1.2, size=7)
    new = old * rng.lognormal(0.02, 0.01, size=7)
    expected = ttest_rel(np.log(new), np.log(old))
    bounds = expected.confidence_interval(0.95)
    found = paired_difference(old, new)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx((math.expm1(bounds.low), math.expm1(bounds.high)))
    assert (found.mean, found.pairs) == (pytest.approx(math.exp(np.log(new / old).mean()) - 1), 7)


def test_the_unpaired_test_is_welchs_on_logarithms():
    rng = np.random.default_rng(0)
    old, new = rng.lognormal(0, 0.02, size=5), rng.lognormal(0.05, 0.1, size=9)
    expected = ttest_ind(np.log(new), np.log(old), equal_var=False)
    bounds = expected.confidence_interval(0.95)
    found = unpaired_difference(old, new)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx((math.expm1(bounds.low), math.expm1(bounds.high)))
    assert found.pairs == 0


def test_pairing_finds_what_the_spread_over_seeds_hides():
    rng = np.random.default_rng(0)
    old = rng.lognormal(0, 0.1, size=10)
    new = 1.02 * old * rng.lognormal(0, 0.001, size=10)
    assert paired_difference(old, new).p_value < 1e-6 < 0.5 < unpaired_difference(old, new).p_value


@pytest.mark.parametrize("test", [paired_difference, unpaired_difference])
def test_equal_ratios_give_a_point_and_one_value_decides_nothing(test):
    point = test([2.0, 2.0], [3.0, 3.0])
    assert (point.low, point.mean, point.high, point.p_value) == pytest.approx((0.5, 0.5, 0.5, 0.0))
    assert test([2.0, 2.0], [2.0, 2.0]).p_value == 1.0
    single = test([1.0], [1.5])
    assert (single.mean, single.low, single.high, single.p_value) == (pytest.approx(0.5), -1.0, math.inf, 1.0)


def test_two_pairs_that_disagree_have_bounds_of_any_size():
    found = paired_difference([1.0, 1.0], [1e-30, 1e30])
    assert (found.low, found.high) == (-1.0, math.inf)
    assert found.p_value == pytest.approx(1.0)


@pytest.mark.parametrize("test", [paired_difference, unpaired_difference])
@pytest.mark.parametrize("values", [([], []), ([1.0], []), ([1.0, 0.0], [1.0, 1.0]), ([1.0, math.nan], [1.0, 1.0])])
def test_nothing_to_compare_is_refused(test, values):
    with pytest.raises(InvalidArgumentError):
        test(*values)


def test_holms_correction_is_that_of_the_textbook():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_resample_draws_as_many_seeds_as_there_are():
    counts = resampled_counts(7)
    assert counts.shape == (RESAMPLES, 7)
    assert (counts.sum(axis=1) == 7).all()
    assert counts.mean() == pytest.approx(1.0)
