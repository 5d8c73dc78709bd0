"""Comparing two sets of records finds a planted regression and raises no false alarm."""

import io
import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

from normbench.analysis.compare import Direction, Metric, compare
from normbench.cli import main
from normbench.presentation.changes import METRICS, comparison_tables
from normbench.records.store import Store
from tests.changes import changed

OLD = [0.80, 0.82, 0.84, 0.81, 0.83]
NOISE = [1.001, 0.999, 1.002, 0.998, 1.0]


def over_seeds(make, values, *, first=0, **changes):
    return [make(seed=first + k, **({"test_rms": v, "train_rms": v} | changes)) for k, v in enumerate(values)]


def only(old, new, metrics=METRICS):
    [comparison], _, _ = compare(old, new, metrics=metrics)
    return comparison


def verdict(old, new, **options):
    return only(old, new, **options).verdict


@pytest.mark.parametrize(
    ("factor", "expected"), [(1.03, "worse"), (0.97, "better"), (1.005, "undecided"), (1, "undecided")]
)
def test_a_consistent_change_beyond_one_percent_is_decided(make, factor, expected):
    new = [factor * a * b for a, b in zip(OLD, NOISE, strict=True)]
    assert verdict(over_seeds(make, OLD), over_seeds(make, new)) == expected


def test_a_large_but_uncertain_change_is_undecided(make):
    new = [a * f for a, f in zip(OLD, [1.3, 0.8, 1.2, 0.9, 1.1], strict=True)]
    assert verdict(over_seeds(make, OLD), over_seeds(make, new)) == "undecided"


@pytest.mark.parametrize("field", ["train_rms", "test_rms"])
def test_either_rms_alone_is_judged(make, field):
    new = [1.1 * a * b for a, b in zip(OLD, NOISE, strict=True)]
    other = [changed(r, **{field: v}) for r, v in zip(over_seeds(make, OLD), new, strict=True)]
    assert verdict(over_seeds(make, OLD), other) == "worse"
    assert verdict(other, over_seeds(make, OLD)) == "better"


def test_one_better_and_one_worse_is_worse(make):
    new = [0.5 * a * b for a, b in zip(OLD, NOISE, strict=True)]
    worse = [1.1 * a * b for a, b in zip(OLD, NOISE, strict=True)]
    mixed = [changed(r, train_rms=v) for r, v in zip(over_seeds(make, new), worse, strict=True)]
    assert verdict(over_seeds(make, OLD), mixed) == "worse"


@pytest.mark.parametrize(("better", "expected"), [(Direction.HIGHER, "worse"), (Direction.LOWER, "better")])
def test_the_direction_of_the_metric_is_known(make, better, expected):
    metrics = [Metric("accuracy", lambda record: record.outcome.test_rms, better)]
    lower = [0.9 * a * b for a, b in zip(OLD, NOISE, strict=True)]
    assert verdict(over_seeds(make, OLD), over_seeds(make, lower), metrics=metrics) == expected


def test_seeds_are_paired_and_others_ignored(make):
    old = over_seeds(make, OLD)
    new = [*over_seeds(make, [1.1 * v for v in OLD])[::-1], make(seed=9, test_rms=0.1)]
    found = only(old, new)
    assert found.paired
    assert found.changes[0].difference.pairs == 5
    assert found.changes[0].difference.mean == pytest.approx(0.1)


@pytest.mark.parametrize(("first", "paired"), [(0, True), (2, True), (3, False), (4, False), (5, False)])
def test_too_few_shared_seeds_are_compared_by_their_spread(make, first, paired):
    found = only(over_seeds(make, OLD), over_seeds(make, OLD, first=first))
    assert (found.paired, found.changes[0].difference.pairs) == (paired, (5 - first) if paired else 0)


def test_other_seeds_widen_the_interval_and_still_find_a_large_change(make):
    old, new = over_seeds(make, OLD), [1.03 * v for v in OLD]
    same, other = only(old, over_seeds(make, new)), only(old, over_seeds(make, new, first=50))
    width = [d.high - d.low for d in (same.changes[0].difference, other.changes[0].difference)]
    assert width[1] > 0.03 > 1e-6 > width[0]
    assert (same.verdict, other.verdict) == ("worse", "undecided")
    assert verdict(old, over_seeds(make, [1.5 * v for v in OLD], first=50)) == "worse"


def test_a_hard_split_is_no_regression_and_hides_none(make):
    def runs(first, factor):
        rms = {first + k: v for k, v in enumerate([0.7, 0.8, 0.9, 1.0, 1.1])}
        linear = {seed: {"linear": {"train": v, "test": v}} for seed, v in rms.items()}
        noise = dict(zip(rms, NOISE, strict=True))
        return [
            make(seed=s, train_rms=v * noise[s] * factor, test_rms=v * noise[s] * factor, predictors=linear[s])
            for s, v in rms.items()
        ]

    assert verdict(runs(0, 1.0), runs(50, 1.05)) == "worse"
    assert verdict(runs(0, 1.0), runs(50, 1.005)) == "undecided"
    found = only(runs(0, 1.0), runs(50, 1.05)).changes[0].difference
    assert (found.pairs, found.mean) == (0, pytest.approx(0.05, abs=0.003))


def test_a_run_that_now_diverges_is_worse_and_one_that_no_longer_does_is_better(make):
    lost = [*over_seeds(make, OLD[:4]), make(seed=4, test_rms=math.nan, status="diverged")]
    assert verdict(over_seeds(make, OLD), lost) == "worse"
    assert verdict(lost, over_seeds(make, OLD)) == "better"


@pytest.mark.parametrize("first", [0, 50], ids=["paired", "other seeds"])
def test_a_figure_of_zero_is_compared(make, first):
    """All classes right, or a linear fit through every sample: one such row ended the whole comparison."""
    linear = {"predictors": {"linear": {"train": 0.0, "test": 0.0}}}
    nothing, some = over_seeds(make, [0.0] * 5, **linear), over_seeds(make, OLD, first=first, **linear)
    assert verdict(nothing, some) == "worse"
    assert verdict(some, nothing) == "better"
    assert verdict(nothing, over_seeds(make, [0.0] * 5, first=first, **linear)) == "undecided"


def test_failures_on_other_seeds_are_judged_by_their_number(make):
    diverged = {"status": "diverged", "test_rms": math.nan, "train_rms": math.nan}
    one = [*over_seeds(make, OLD[:4], first=50), make(seed=54, **diverged)]
    every = [make(seed=50 + k, **diverged) for k in range(5)]
    assert verdict(over_seeds(make, OLD), one) == "undecided"
    assert verdict(over_seeds(make, OLD), every) == "worse"
    assert verdict(every, over_seeds(make, OLD)) == "better"


def test_one_seed_decides_nothing(make):
    assert verdict([make(test_rms=1.0)], [make(test_rms=2.0)]) == "undecided"
    assert verdict([make(test_rms=1.0)], [make(seed=1, test_rms=2.0)]) == "undecided"


def test_best_meets_best_even_at_another_value(make):
    old = over_seeds(make, OLD, optimiser="adam", learning_rate=1e-2, tuning_runs=5)
    new = over_seeds(make, [1.1 * v for v in OLD], optimiser="adam", learning_rate=1e-1, tuning_runs=5)
    found = only(old, new)
    assert (found.verdict, found.key.rule, found.tuning.value) == ("worse", "best", 0.1)


def test_rows_on_one_side_only_are_reported(make):
    comparisons, old_only, new_only = compare([make()], [make("agd"), make("agd", split="blocked")], metrics=METRICS)
    assert comparisons == []
    assert [key.run.request.optimiser for key in old_only] == ["method1"]
    assert [key.run.request.split for key in new_only] == ["blocked", "random"]


def test_the_worst_rows_come_first(make):
    factors = {"method1": 1.05, "agd": 0.9, "fromage": 1.2, "lars": 1.0}
    old = [r for name in factors for r in over_seeds(make, OLD, optimiser=name)]
    new = [r for name, f in factors.items() for r in over_seeds(make, [f * v for v in OLD], optimiser=name)]
    found, _, _ = compare(old, new, metrics=METRICS)
    assert [c.key.run.request.optimiser for c in found] == ["fromage", "method1", "lars", "agd"]


ROWS = [
    (optimiser, backend)
    for optimiser in ("method1", "method2", "fromage", "lars", "agd", "adam", "sgd", "sgd_momentum", "method2_exp")
    for backend in ("torch", "jax", "reference")
]


def synthetic(make, rng, *, first, seeds, factors=(), rows=ROWS):
    """Rows with noise of 2 % over seeds, of the same code but for those whose RMS has a factor."""
    return [
        with_rms(remembered(make, optimiser, backend, first + k), factor * train, factor * train * gap)
        for optimiser, backend in rows
        for factor in [dict(factors).get((optimiser, backend), 1.0)]
        for k, (train, gap) in enumerate(zip(rng.lognormal(0, 0.02, seeds), rng.lognormal(0, 0.01, seeds), strict=True))
    ]


@cache
def remembered(make, optimiser, backend, seed):
    return make(optimiser, backend=backend, seed=seed)


def with_rms(record, train, test):
    return replace(record, outcome=replace(record.outcome, train_rms=train, test_rms=test))


def is_worse(old, new):
    found, _, _ = compare(old, new, metrics=METRICS)
    return any(c.verdict == "worse" for c in found)


def one_by_one(old, new):
    """Whether a row would be said to be worse if each were compared as if it were the only one."""
    rows = [
        [[r for r in runs if (r.request.optimiser, r.request.backend) == row] for runs in (old, new)] for row in ROWS
    ]
    return any(is_worse(*row) for row in rows)


@pytest.mark.parametrize(("first", "seeds"), [(50, 5), (0, 5), (3, 5)], ids=str)
def test_the_same_code_again_raises_an_alarm_in_less_than_5_percent_of_comparisons(make, first, seeds):
    # other seeds; the same seeds on a machine that rounds to other paths; two shared ones
    rng = np.random.default_rng(first + seeds)
    sets = [[synthetic(make, rng, first=k, seeds=seeds) for k in (0, first)] for _ in range(60)]
    # measured over other seeds: 0 to 3 alarms, a share of 2 %. A share of 5 % has more than 9 once in 1,400 such tests,
    # what this code has once in 3 million: neither another seed nor another version of NumPy makes this test fail
    assert sum(is_worse(*pair) for pair in sets) <= 9
    if first == 50:  # 27 rows uncorrected alarm in 40 % of comparisons, and of 30 in at most 3 once in 3,000
        assert sum(one_by_one(*pair) for pair in sets[:30]) > 3


@pytest.mark.parametrize("first", [0, 50])
def test_a_planted_regression_is_found_among_27_rows(make, first):
    rng = np.random.default_rng(first)
    old = synthetic(make, rng, first=0, seeds=10)
    new = synthetic(make, rng, first=first, seeds=10, factors={("agd", "jax"): 1.15})
    found, _, _ = compare(old, new, metrics=METRICS)
    assert [(c.key.run.request.optimiser, c.key.run.request.backend) for c in found if c.verdict == "worse"] == [
        ("agd", "jax")
    ]


def write(folder, records):
    for record in records:
        Store(folder / "records").write(record)
    return str(folder)


def test_the_command_exits_1_on_a_planted_regression_and_0_on_other_seeds(make, tmp_path):
    rng = np.random.default_rng(0)
    size = {"seeds": 5, "rows": [row for row in ROWS if row[1] == "torch"]}
    old = write(tmp_path / "old", synthetic(make, rng, first=0, **size))
    again = write(tmp_path / "again", synthetic(make, rng, first=50, **size))
    partly = write(tmp_path / "partly", synthetic(make, rng, first=4, **size))
    worse = write(tmp_path / "worse", synthetic(make, rng, first=50, factors={("lars", "torch"): 1.4}, **size))
    runner = CliRunner(env={"COLUMNS": "120"})
    results = [runner.invoke(main, ["compare", old, new]) for new in (old, again, partly, worse)]
    assert [result.exit_code for result in results] == [0, 0, 0, 1]
    shown = results[-1].stdout
    assert "1 of 9 rows are worse" in shown
    assert next(line for line in shown.splitlines() if line.startswith("worse")).split()[1] == "lars"


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_its_terminal_and_says_what_was_compared(make, width):
    metrics = {"seconds_per_iteration": 0.012}
    old = over_seeds(make, OLD, optimiser="sgd_momentum", learning_rate=1e4, tuning_runs=5, **metrics)
    lost = [make("agd", seed=k, status="diverged", test_rms=math.nan) for k in range(2)]
    new = over_seeds(make, [1.5 * v for v in OLD], first=50, optimiser="sgd_momentum", learning_rate=1e3, tuning_runs=5)
    found, _, _ = compare([*old, *over_seeds(make, OLD[:2], optimiser="agd")], [*new, *lost], metrics=METRICS)
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(comparison_tables(found, width=width))
    shown = console.export_text()
    assert max(map(len, shown.splitlines())) <= width
    assert "…" not in shown
    assert "SIMULATED data" in shown.splitlines()[0]
    for words in ("worse: 2 lost", "best: 1000", "+50.0 % ***", "lower is better"):
        assert words in shown
    if width == 120:
        assert all(words in shown for words in ("5 | 5", "2 paired", "12.00 →", " to +"))
    else:
        assert "Left out on a terminal of this width: iter., seeds" in shown
