"""A frontier says what its runs reached at the bound and the budget, from planted runs with known answers."""

import math

import numpy as np
import pytest

from normbench.analysis.answer import Problem, answer
from normbench.analysis.budget import Lost, rms_at
from normbench.analysis.frontier import frontiers
from normbench.analysis.ranking import differences, differences_of_all
from normbench.analysis.ways import Kind, other_ways
from normbench.running.result import Curves
from tests.analysis.conftest import BOUNDS, SEEDS

pytestmark = pytest.mark.quick

EARLY = 1.01  # of its RMS has geodesic L-BFGS an evaluation before the end: that is what its first step cost


@pytest.mark.parametrize(
    ("changes", "budget", "expected"),
    [
        ({"optimiser": "adam"}, 200, 1.0),
        ({"optimiser": "adam"}, 150, 1.5),
        ({"optimiser": "adam"}, 25, 2.75),
        ({"optimiser": "adam"}, 204, 1.0),  # 2 % short of the budget
        ({"optimiser": "adam"}, 205, Lost.SHORT),
        ({"optimiser": "adam", "status": "stalled"}, 1000, 1.0),  # it would not move any more
        ({"optimiser": "adam", "status": "diverged"}, 200, Lost.FAILED),
        ({"optimiser": "adam", "test_rms": math.nan}, 200, Lost.FAILED),
        ({"optimiser": "adam", "losses": 3}, 300, 1.5),  # two losses without a gradient are one evaluation
        ({"optimiser": "adam", "losses": 0}, 150, 1.5),  # a gradient has its loss
        ({"optimiser": "adam", "curves": Curves(loss=(1.0,), test_iterations=(0,))}, 200, Lost.UNCOUNTED),
        ({"optimiser": "method1", "parametrisation": "sphere"}, 200, 2.0),  # a second derivative an iteration
        ({"optimiser": "geodesic_lbfgs"}, 150, 2 - 49 / 100),  # one at the first step: 150 evaluations, 149 iterations
    ],
)
def test_the_error_at_a_budget(planted, changes, budget, expected):
    found = rms_at(planted(**changes), budget)
    assert found is expected if isinstance(expected, Lost) else found == pytest.approx(expected)


def frontier_of(records):
    [found] = frontiers(records)
    return found


def cells(frontier, optimiser):
    [line] = [line for line in frontier.lines if line.way.first.request.optimiser == optimiser]
    return line.cells


def test_ways_stand_at_each_bound_with_mean_difference_and_rank(level):
    found = frontier_of([*level("geodesic_lbfgs", 1.0), *level("lbfgs", 1.1)])
    assert (found.budget, found.bounds, found.seeds) == (200.0, BOUNDS, (0, 1, 2))
    for ours, theirs in zip(cells(found, "geodesic_lbfgs"), cells(found, "lbfgs"), strict=True):
        assert (ours.rank.rank, theirs.rank.rank, ours.difference) == (1, 2, None)
        assert ours.interval.mean == pytest.approx(1.1 * EARLY)
        assert theirs.difference.mean == pytest.approx(1.1 / EARLY - 1)
    assert [place.excess.mean for place in found.places.values()] == pytest.approx([0, 1.1 / EARLY - 1])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"lipschitz_certificate": 20.01}, Lost.ABOVE),
        ({"certified_by": "", "lipschitz_certificate": math.nan}, Lost.UNCERTIFIED),
        ({"status": "failed", "test_rms": math.nan}, Lost.FAILED),
        ({"iterations_done": 100}, Lost.SHORT),
        (None, Lost.NOT_RUN),
    ],
)
def test_a_seed_without_a_figure_is_named_and_its_way_has_no_rank_there(planted, level, changes, reason):
    good = level("geodesic_lbfgs", 0.5)
    others = [run for run in good if (run.request.lipschitz, run.request.seed) != (20.0, 1)]
    bad = [] if changes is None else [planted("geodesic_lbfgs", 20.0, 1, **({"rms": 0.5} | changes))]
    found = frontier_of([*others, *bad, *level("lbfgs", 1.1), *level("adam", 1.2)])
    cell = cells(found, "geodesic_lbfgs")[1]
    assert cell.lost == {1: reason}
    assert (len(cell.values), cell.rank, cell.difference) == (2, None, None)
    assert cells(found, "lbfgs")[1].rank.rank == 1
    assert {way.first.request.optimiser for way in (line.way for line in found.lines)} == {
        "geodesic_lbfgs",
        "lbfgs",
        "adam",
    }
    assert len(found.places) == 2  # not that with the gap, though it leads at the other bounds


def test_a_sweep_is_read_at_its_own_certificates_and_never_beyond(planted, level):
    def sphere(asked, certificate, rms, seed):
        changes = {"parametrisation": "sphere", "lipschitz_certificate": certificate, "iterations": 100}
        return planted("method1", asked, seed, rms, **changes)

    sweep = [sphere(asked, c, rms, seed) for asked, c, rms in ((10.0, 4.0, 1.6), (40.0, 16.0, 1.2)) for seed in SEEDS]
    found = frontier_of([*level("lbfgs", 1.1), *sweep])
    at = cells(found, "method1")
    expected = 1.6 - 0.4 * math.log(5 / 4) / math.log(16 / 4)
    assert found.bounds == BOUNDS  # not those that only a sweep was asked for
    assert at[0].values == pytest.approx(dict.fromkeys(SEEDS, expected))
    assert [set(cell.lost.values()) for cell in at[1:]] == [{Lost.OUTSIDE}, {Lost.OUTSIDE}]
    # a certificate that falls and passes the bound again: the largest scale counts, not the better error
    detour = [sphere(asked, c, rms, 0) for asked, c, rms in ((10.0, 8.0, 0.9), (20.0, 4.0, 1.6), (40.0, 16.0, 1.2))]
    rest = [run for run in sweep if run.request.seed]
    assert cells(frontier_of([*level("lbfgs", 1.1), *detour, *rest]), "method1")[0].values[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    "changes",
    [{"status": "diverged", "test_rms": math.nan}, {"certified_by": "constant", "lipschitz_certificate": 0.0}],
)
def test_a_sweep_is_not_read_across_a_scale_without_a_figure_or_a_certificate_to_join(planted, level, changes):
    def sphere(asked, certificate, rms, seed, **others):
        usual = {"parametrisation": "sphere", "lipschitz_certificate": certificate, "iterations": 100}
        return planted("method1", asked, seed, rms, **(usual | others))

    points = ((10.0, 4.0, 1.6), (20.0, 8.0, 1.4), (40.0, 40.0, 1.2))
    sweep = [
        sphere(*point, seed, **(changes if (point[0], seed) == (20.0, 1) else {})) for point in points for seed in SEEDS
    ]
    at_5, at_20, _ = cells(frontier_of([*level("lbfgs", 1.1), *sweep]), "method1")
    for cell in (at_5, at_20):  # of either side the gap is one end
        assert set(cell.values) == {0, 2}
        assert cell.lost == {1: Lost.OUTSIDE}


def test_a_sweep_of_the_outputs_scale_is_one_way_at_its_own_certificates_in_the_order_of_the_scales(planted, level):
    def agd(scale, certificate, rms, seed):
        changes = {"parametrisation": None, "output_scale": scale, "lipschitz_certificate": certificate}
        return planted("agd", None, seed, rms, **changes)

    points = ((10.0, 40.0, 1.4), (0.5, 4.0, 1.6), (2.0, 16.0, 1.2))
    sweep = [agd(*point, seed) for point in points for seed in SEEDS]
    unscaled = [agd(None, 10.0, 0.5, seed) for seed in SEEDS]
    found = frontier_of([*level("lbfgs", 1.1), *sweep, *unscaled])
    [line] = [line for line in found.lines if line.way.kind is Kind.SWEEP]
    assert [(point.output_scale, point.lipschitz) for point in line.points] == [(0.5, None), (2.0, None), (10.0, None)]
    at_5, at_20, at_80 = line.cells
    assert at_5.values == pytest.approx(dict.fromkeys(SEEDS, 1.6 - 0.4 * math.log(5 / 4) / math.log(16 / 4)))
    assert at_20.values == pytest.approx(dict.fromkeys(SEEDS, 1.2 + 0.2 * math.log(20 / 16) / math.log(40 / 16)))
    assert set(at_80.lost.values()) == {Lost.OUTSIDE}
    assert [ceiling.points[0].output_scale for ceiling in found.ceilings] == [None]


def test_ways_without_a_bound_are_ceilings(level):
    free = level("muon", 0.9, bounds=(None,), parametrisation=None, lipschitz_certificate=300.0)
    found = frontier_of([*level("lbfgs", 1.1), *free])
    [ceiling] = found.ceilings
    assert (ceiling.way.kind, ceiling.points[0].certificate) == (Kind.CEILING, pytest.approx(300.0))
    assert len(found.lines) == len(found.places) == 1


def test_a_tuned_way_stands_at_what_was_chosen_alone(level):
    tuned = level("adam", 1.0, learning_rate=0.1, tuning_runs=5)
    default, tried = level("adam", 0.5), level("adam", 0.4, learning_rate=0.0001, seeds=(0,))
    found = frontier_of([*tuned, *default, *tried])
    [line] = found.lines
    assert [cell.interval.mean for cell in line.cells] == pytest.approx([1.1] * 3)
    assert {(t.cost, t.value) for t in line.tunings} == {(5, 0.1)}
    [untuned] = frontier_of(default).lines
    assert untuned.tunings[0].cost == 0


def test_each_budget_takes_the_shortest_runs_that_come_to_it(level):
    longer = level("lbfgs", 0.8, iterations=1000, bounds=(5.0, 80.0))
    short, long = frontiers([*level("lbfgs", 1.0), *longer, *level("adam", 1.2)])
    assert (short.budget, long.budget, long.bounds) == (200.0, 1000.0, (5.0, 80.0))
    assert cells(short, "lbfgs")[0].interval.mean == pytest.approx(1.1)
    assert cells(long, "lbfgs")[0].interval.mean == pytest.approx(0.88)
    assert {line.way.first.request.optimiser for line in long.lines} == {"lbfgs"}
    assert [way.first.request.optimiser for way in other_ways(long.runs, long.budget)] == ["adam"]
    assert not other_ways(short.runs, short.budget)


def test_a_run_whose_rate_falls_until_it_ends_stands_at_its_own_budget_alone(level):
    falling = {"schedule": "linear", "learning_rate": 0.1, "tuning_runs": 5}
    longer = [*level("adam", 0.9, iterations=1000, **falling), *level("lbfgs", 0.8, iterations=1000)]
    long, short = frontiers([*level("polar_average", 1.0), *longer])
    assert {line.way.first.request.optimiser for line in short.lines} == {"polar_average", "lbfgs"}
    assert {line.way.first.request.optimiser for line in long.lines} == {"adam", "lbfgs"}
    assert [way.first.request.optimiser for way in other_ways(short.runs, short.budget)] == ["adam"]


def test_the_budget_that_most_ways_were_run_for_comes_first(level):
    """Others are read there, too, on their way to a larger one."""
    larger = [run for key in ("lbfgs", "geodesic_lbfgs") for run in level(key, 1.0, iterations=1000)]
    found = frontiers([*level("polar_average", 1.0), *larger])
    assert [(frontier.budget, len(frontier.lines)) for frontier in found] == [(1000.0, 2), (200.0, 3)]


def test_seeds_that_few_have_are_left_out(level):
    more = level("lbfgs", 9.0, bounds=(20.0,), seeds=range(3, 40))
    found = frontier_of([*level("lbfgs", 1.0), *level("geodesic_lbfgs", 1.1), *more])
    assert (found.seeds, found.other_seeds) == ((0, 1, 2), tuple(range(3, 40)))
    assert cells(found, "lbfgs")[1].interval.mean == pytest.approx(1.1)


def test_one_bound_is_no_frontier(level):
    assert frontiers(level("lbfgs", 1.0, bounds=(20.0,))) == []
    assert frontiers([]) == []


def samples(*levels):
    """A sample a bound, of those RMS on two seeds of which the second is twice as hard."""
    return [{0: level, 1: 2 * level} for level in levels]


def test_one_answer_is_the_integral_over_the_logarithm_of_the_bound():
    # at the ends half a trapezoid each, in the middle the rest: over log 2, log 4 of log 8
    problem = Problem((5.0, 10.0, 40.0), {"a": samples(1, 1, 1), "b": samples(1.3, 1, 1), "c": samples(1, 1.3, 1)})
    found = answer([problem])
    weights = {"a": 0.0, "b": 1 / 6, "c": 1 / 2}
    assert {way: place.excess.mean for way, place in found.items()} == pytest.approx(
        {way: 1.3**w - 1 for way, w in weights.items()}
    )
    assert [(way, p.rank.rank, p.rank.low, p.rank.high) for way, p in found.items()] == [
        ("a", 1, 1, 1),
        ("b", 2, 2, 2),
        ("c", 3, 3, 3),
    ]
    assert all(p.excess.low == pytest.approx(p.excess.mean) for p in found.values())  # the seeds agree


def test_one_answer_weighs_tasks_alike_and_drops_who_lacks_one():
    first = Problem((5.0, 20.0), {"a": samples(1, 1), "b": samples(1.2, 1.2), "c": samples(0.5, 0.5)})
    second = Problem((10.0,), {"b": samples(3.0), "a": samples(3.3)})
    found = answer([first, second])
    assert {way: place.excess.mean for way, place in found.items()} == pytest.approx(
        {"a": 1.1**0.5 - 1, "b": 1.2**0.5 - 1}
    )
    assert found["a"].rank.high == found["b"].rank.high == 2  # with the tasks drawn again either may lead
    assert found["b"].excess.high == pytest.approx(0.2)
    assert answer([first, Problem((5.0,), {"d": samples(1.0)})]) == {}
    assert answer([]) == {}


def test_the_correction_counts_the_pairs_of_all_bounds():
    rng = np.random.default_rng(0)
    groups = [[dict(enumerate(np.exp(0.02 * k + 0.02 * rng.normal(size=8)))) for k in range(2)] for _ in range(3)]
    alone = [differences(group, 0)[1].p_value for group in groups]
    together = [found[1].p_value for found in differences_of_all(groups, [0] * 3)]
    assert min(together) == pytest.approx(3 * min(alone))


def test_runs_that_were_judged_on_a_validation_part_are_no_results(level):
    judged = level("lbfgs", 1.0)
    found = frontier_of([*judged, *level("lbfgs", 0.1, judged_on="validation")])
    assert [run for line in found.lines for cell in line.cells for run in cell.runs] == judged
