"""Comparing two sets of records finds a planted regression and raises no false alarm."""

import math

import pytest

from normbench.report.compare import compare

OLD = [0.80, 0.82, 0.84, 0.81, 0.83]
NOISE = [1.001, 0.999, 1.002, 0.998, 1.0]


def over_seeds(make, values, **changes):
    return [make(seed=seed, test_rms=v, **changes) for seed, v in enumerate(values)]


def verdict(old, new):
    [comparison], _ = compare(old, new)
    return comparison.verdict


@pytest.mark.parametrize(
    ("factor", "expected"), [(1.03, "worse"), (0.97, "better"), (1.005, "undecided"), (1, "undecided")]
)
def test_a_consistent_change_beyond_one_percent_is_decided(make, factor, expected):
    new = [factor * a * b for a, b in zip(OLD, NOISE, strict=True)]
    assert verdict(over_seeds(make, OLD), over_seeds(make, new)) == expected


def test_a_large_but_uncertain_change_is_undecided(make):
    new = [a * f for a, f in zip(OLD, [1.3, 0.8, 1.2, 0.9, 1.1], strict=True)]
    assert verdict(over_seeds(make, OLD), over_seeds(make, new)) == "undecided"


def test_seeds_are_paired_and_others_ignored(make):
    old = over_seeds(make, OLD)
    new = [*over_seeds(make, [1.1 * v for v in OLD])[::-1], make(seed=9, test_rms=0.1)]
    [comparison], _ = compare(old, new)
    assert comparison.pairs == 5
    assert comparison.interval.mean == pytest.approx(0.1)


def test_a_run_that_now_diverges_is_worse(make):
    new = [*over_seeds(make, OLD[:4]), make(seed=4, test_rms=math.nan, status="diverged")]
    assert verdict(over_seeds(make, OLD), new) == "worse"


def test_one_seed_decides_nothing(make):
    assert verdict([make(test_rms=1.0)], [make(test_rms=2.0)]) == "undecided"


def test_best_meets_best_even_at_another_value(make):
    old = over_seeds(make, OLD, optimiser="adam", learning_rate=1e-2, tuning_runs=5)
    new = over_seeds(make, [1.1 * v for v in OLD], optimiser="adam", learning_rate=1e-1, tuning_runs=5)
    [comparison], _ = compare(old, new)
    assert (comparison.verdict, comparison.tuning) == ("worse", "best: 0.1")


def test_rows_on_one_side_only_are_reported(make):
    comparisons, unmatched = compare([make()], [make("agd")])
    assert comparisons == []
    assert len(unmatched) == 2
