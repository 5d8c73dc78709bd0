"""Statistics over seeds agree with their textbook definitions."""

import math

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from normbench.errors import InvalidArgumentError
from normbench.report.statistics import paired_relative_interval, spread


def test_spread_uses_the_sample_standard_deviation():
    figure = spread([1.0, 2.0, 4.0])
    assert (figure.mean, figure.sd, figure.count) == pytest.approx((7 / 3, np.std([1, 2, 4], ddof=1), 3))


def test_one_value_has_no_sd_and_none_has_no_mean():
    assert math.isnan(spread([1.0]).sd)
    assert math.isnan(spread([math.nan]).mean)
    assert spread([1.0, math.nan, math.inf]).count == 1


def test_the_paired_interval_is_that_of_students_t():
    rng = np.random.default_rng(0)
    old = rng.uniform(0.8, 1.2, size=7)
    new = old * rng.normal(1.02, 0.01, size=7)
    expected = ttest_1samp(new / old - 1, 0).confidence_interval(0.95)
    found = paired_relative_interval(old.tolist(), new.tolist())
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_equal_ratios_give_a_point_and_one_pair_gives_no_interval():
    point = paired_relative_interval([1.0, 2.0], [1.5, 3.0])
    assert (point.low, point.mean, point.high) == (0.5, 0.5, 0.5)
    assert paired_relative_interval([1.0], [1.5]).low == -math.inf


def test_no_pair_is_refused():
    with pytest.raises(InvalidArgumentError):
        paired_relative_interval([], [])
