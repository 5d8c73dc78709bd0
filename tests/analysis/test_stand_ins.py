"""On a network that a parametrisation has no weights for the optimiser's default stands for a way, and is named."""

import pytest

from normbench.analysis.frontier import frontiers
from normbench.analysis.stand_ins import stand_ins
from normbench.presentation.across import across, across_captions
from normbench.problems import tasks

pytestmark = pytest.mark.quick
CONVOLUTIONS = {"task": "digits-conv", "layers": (1, 8, 16, 10)}


@pytest.fixture
def dense(level):
    return [
        *level("geodesic_lbfgs", 1.0, parametrisation="sandwich"),
        *level("geodesic_lbfgs", 1.1, parametrisation="ball"),
        *level("lbfgs", 1.2, parametrisation="sandwich"),
        *level("scion", 1.4, parametrisation="ball", learning_rate=0.1, tuning_runs=5),
    ]


@pytest.fixture
def convolutional(level):
    return [
        *level("geodesic_lbfgs", 2.0, parametrisation="ball", **CONVOLUTIONS),
        *level("scion", 3.0, parametrisation="ball", learning_rate=0.1, tuning_runs=5, **CONVOLUTIONS),
    ]


def named(line):
    asked = line.way.first.request
    return asked.optimiser, asked.parametrisation


def test_the_default_stands_where_the_network_has_no_such_weights(dense, convolutional):
    found = frontiers([*dense, *convolutional])
    [one] = stand_ins(found)
    assert (named(one.line), named(one.instead)) == (("geodesic_lbfgs", "sandwich"), ("geodesic_lbfgs", "ball"))
    assert one.frontier.first.request.task == "digits-conv"
    [answer] = across(found)
    places = {named(row.line): row.place.excess.mean for row in answer.rows}
    assert places == {
        ("geodesic_lbfgs", "sandwich"): pytest.approx(0.0, abs=1e-12),
        ("geodesic_lbfgs", "ball"): pytest.approx(1.1**0.5 - 1),
        ("scion", "ball"): pytest.approx((1.4 * 1.5) ** 0.5 / 1.01 - 1),  # geodesic L-BFGS is read an iteration earlier
    }
    assert {named(line) for line, _ in answer.missing} == {("lbfgs", "sandwich")}  # its default was not run there
    said = "geodesic_lbfgs sandwich (torch) as geodesic_lbfgs ball on digits-conv 1-8-16-10 (random split"
    assert said in across_captions(answer)[1]


def test_nothing_stands_for_what_the_network_has(dense, level):
    """The way was left out there, or is another rate's or activation's."""
    deeper = {"layers": (12, 35, 35, 3)}
    elsewhere = level("geodesic_lbfgs", 2.0, parametrisation="ball", **deeper)
    assert stand_ins(frontiers([*dense, *elsewhere])) == []
    other = level("geodesic_lbfgs", 2.0, parametrisation="ball", activation="maxmin", **CONVOLUTIONS)
    assert stand_ins(frontiers([*dense, *other])) == []


def test_a_task_of_another_installation_has_no_stand_ins(dense, level):
    unknown = level("geodesic_lbfgs", 2.0, parametrisation="ball", task="their-images", layers=(1, 8, 16, 10))
    assert "their-images" not in tasks.TASKS
    found = frontiers([*dense, *unknown])
    assert stand_ins(found) == []
    assert [named(row.line) for row in across(found)[0].rows] == [("geodesic_lbfgs", "ball")]
