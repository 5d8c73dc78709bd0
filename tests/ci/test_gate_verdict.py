"""The gate's statistic: what it must catch, what it must let pass."""

import numpy as np
import pytest

from ci.gate.verdict import compare_times, compare_values

ROUNDS, SAMPLES = 6, 7


def measured(rng, *, slow_down=1.0, noise=0.02, drift=0.5):
    """Two commits in turns on a machine whose speed drifts from round to round by far more than the samples scatter."""
    speed = 1 + drift * rng.random(ROUNDS)
    scatter = rng.lognormal(0, noise, (2, ROUNDS, SAMPLES))
    return [8e-3 * factor * speed[:, None] * s for factor, s in zip((1.0, slow_down), scatter, strict=True)]


def verdicts(count, **how):
    rng = np.random.default_rng(0)
    return [compare_times("t", *measured(rng, **how)).verdict for _ in range(count)]


def test_identical_code_raises_no_alarm_although_the_machine_drifts_by_half():
    assert set(verdicts(500)) <= {"unchanged", "undecided"}


@pytest.mark.parametrize(("slow_down", "verdict"), [(1.3, "slower"), (1.1, "slower"), (1 / 1.3, "faster")])
def test_a_real_change_is_seen(slow_down, verdict):
    assert verdicts(200, slow_down=slow_down).count(verdict) > 190


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(1)
    inside = [(c := compare_times("t", *measured(rng, slow_down=1.2))).low < 1.2 < c.high for _ in range(500)]
    assert 0.975 < np.mean(inside) < 1


def test_one_slow_spell_leaves_the_verdict_open():
    base, head = measured(np.random.default_rng(2))
    head[3] *= 3
    assert compare_times("t", base, head).verdict == "undecided"


def test_rounds_that_cannot_be_paired_are_refused():
    with pytest.raises(ValueError, match=r"two or more rounds.*len\(base\)=3, len\(head\)=2"):
        compare_times("t", [[1.0]] * 3, [[1.0]] * 2)


@pytest.mark.parametrize(
    ("base", "head", "verdict", "alarming"),
    [
        (0.838, 0.863, "worse", True),
        (0.838, 0.839, "unchanged", False),
        (0.863, 0.838, "better", False),
        (0.838, np.nan, "broken", True),
        (np.nan, 0.838, "repaired", False),
        (np.nan, np.nan, "undecided", False),
        (0.0, 0.0, "unchanged", False),
        (0.0, 1.0, "worse", True),
    ],
)
def test_a_tracked_number_is_judged_by_its_threshold(base, head, verdict, alarming):
    comparison = compare_values("q", "N", base, head, threshold=0.01)
    assert (comparison.verdict, comparison.alarming) == (verdict, alarming)
