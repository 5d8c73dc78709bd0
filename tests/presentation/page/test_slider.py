"""The target slider and its companions: what the charts and tables show is what Python computes."""

import math
import re

import numpy as np
import pandas as pd
import pytest

from normbench.analysis.targets import attain, reach
from normbench.presentation.page.reaching import grid, linear_rms
from tests.presentation.page.profiles import performance_profile

SIM = "quadrotor-sim-random-12-25-30-15-3"
BEGINNING = {"cost": "iterations", "charge": "no", "target": "1.05"}


def test_the_page_begins_with_the_best_of_every_search_at_its_target(opened):
    values = "found => Object.fromEntries(found.map(input => [input.id, input.defaultValue ?? input.options[0].value]))"
    found = opened.page.eval_on_selector_all("[id^='control-']", values)
    assert {name: found[f"control-{name}"] for name in BEGINNING} == BEGINNING


def set_controls(opened, **wanted):
    """These, and the others as the page sets them in the beginning."""
    for name, value in (BEGINNING | wanted).items():
        opened.page.eval_on_selector(
            f"#control-{name}",
            """(input, value) => {
                if (input.value === value) return;
                input.value = value;
                input.dispatchEvent(new Event('input', { bubbles: true }));
            }""",
            str(value),
        )
    opened.page.wait_for_timeout(100)  # one turn of the charts


def summary(opened):
    """Rows of the table under the chart of the simulated board: way, backend, reached, censored, median."""
    rows = opened.page.eval_on_selector_all(
        f"#summary-reaching-{SIM} tbody tr", "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )
    return {
        way: [way, backend, reached, median.startswith("> "), float(median.removeprefix("> ").replace(",", ""))]
        for way, backend, reached, median, _ in rows
    }


def expected_summary(section, ratio, cost, *, charge=False):
    """What :func:`normbench.analysis.targets.attain` makes of the same target."""
    rows = {}
    for way in section.ways:
        if way.backend == "torch" and way.is_best:
            found = attain(way.runs, ratio * linear_rms(way.runs[0]))
            median = getattr(found, cost)
            price = 1 + way.row.tuning.cost if charge else 1
            shown = pytest.approx(median.value * price, rel=5.1e-3)  # of the three digits that the table shows
            rows[way.label] = [way.label, "torch", f"{found.reached} of {found.runs}", median.censored, shown]
    return rows


@pytest.mark.parametrize("cost", ["iterations", "loss_evaluations", "gradient_evaluations", "seconds"])
def test_the_slider_shows_what_python_computes(opened, compared, cost):
    for ratio in (0.95, 1.05, 1.3):
        set_controls(opened, cost=cost, target=ratio)
        assert summary(opened) == expected_summary(compared[1], ratio, cost)


def test_tuning_can_be_charged(opened, compared):
    set_controls(opened, charge="yes")
    shown = summary(opened)
    assert shown == expected_summary(compared[1], 1.05, "iterations", charge=True)
    assert shown != expected_summary(compared[1], 1.05, "iterations")


def test_the_slider_moves_with_the_keyboard_and_says_where_it_is(opened, compared):
    set_controls(opened)
    opened.page.locator("#control-target").focus()
    opened.page.keyboard.press("ArrowRight")
    linear = np.mean([linear_rms(run) for run in compared[1].ways[0].runs])
    words = opened.page.locator("#target").inner_text()
    assert words.startswith("1.055 × that of a linear fit")
    assert f"{1.055 * linear:.3g} N on quadrotor-sim" in words
    assert opened.page.locator("#control-target").get_attribute("aria-valuetext").startswith("1.055")


def test_runs_short_of_the_target_are_drawn_as_such(opened):
    set_controls(opened)
    triangles = f"#chart-reaching-{SIM} .mark-symbol.role-mark.layer_0_marks path"
    assert opened.page.locator(triangles).count() == 4  # agd on torch: three seeds end above, one diverged
    set_controls(opened, target=1.4)
    assert opened.page.locator(triangles).count() == 1


def drawn_profiles(opened):
    """Every line of the profile chart as points in (tau, share), by its colour on the page."""
    height, labels, lines = opened.page.evaluate(
        """() => {
            const chart = document.querySelector('#chart-profiles');
            const height = +chart.querySelector('path.background').getAttribute('d').match(/v([\\d.]+)/)[1];
            const texts = [...chart.querySelectorAll('.role-axis-label text')];
            const lines = [...chart.querySelectorAll('.mark-line path')];
            return [
                height,
                texts.map(text => [text.textContent, text.getAttribute('transform')]),
                lines.map(line => [line.getAttribute('stroke'), line.getAttribute('d')]),
            ];
        }"""
    )
    pixels = {label: float(re.search(r"\(([\d.]+)", where)[1]) for label, where in labels if "%" not in label}
    per_decade = width_of_a_decade(pixels)
    return {colour: steps(path, per_decade, height) for colour, path in lines}


def width_of_a_decade(pixels):
    """Pixels from tau to 10 tau, from the labels of the axis."""
    known = sorted((float(label.replace(",", "")), x) for label, x in pixels.items() if label)
    (a, x), (b, y) = known[0], known[-1]
    return (y - x) / math.log10(b / a)


def steps(path, per_decade, height):
    """Corners of an SVG path of M, H, V and L commands."""
    points, here = [], [0.0, 0.0]
    for command, numbers in re.findall(r"([MHVL])([-\d.,e]+)", path):
        values = [float(n) for n in numbers.split(",")]
        if command == "H":
            here = [values[0], here[1]]
        elif command == "V":
            here = [here[0], values[0]]
        else:
            here = values
        points.append((10 ** (here[0] / per_decade), 1.03 - 1.05 * here[1] / height))
    return points


def share_at(points, tau):
    return max(share for x, share in points if x <= tau * 1.0001)


def torch_costs(compared, ratio):
    """Iterations by problem and optimiser, the tuned ones at their best."""
    costs = {}
    for section in compared:
        for way in section.ways:
            if way.backend == "torch" and way.is_best:
                for run in [run for run in way.runs if run.request.seed < 3]:
                    found = reach(run, ratio * linear_rms(run))
                    spent = math.inf if found.censored else found.iterations
                    costs.setdefault(way.row.optimiser, {})[section.key, run.request.seed] = spent
    return pd.DataFrame(costs)


def test_the_profile_draws_what_python_computes(opened, compared):
    taus = [1.0, 1.5, 2.0, 3.0]
    for ratio in (0.97, 1.05):
        set_controls(opened, target=ratio)
        drawn = drawn_profiles(opened)
        expected = performance_profile(torch_costs(compared, ratio), taus)
        assert drawn.keys() == {f"var(--series-{optimiser})" for optimiser in expected}
        for optimiser in expected:
            shares = [share_at(drawn[f"var(--series-{optimiser})"], tau) for tau in taus]
            assert shares == pytest.approx(expected[optimiser].tolist(), abs=0.01)


def test_the_slider_spans_what_was_reached(compared):
    found = grid(compared)
    lowest = min(
        r.outcome.train_rms / linear_rms(r) for s in compared for w in s.ways for r in w.runs if r.outcome.train_rms > 0
    )
    assert lowest <= found.low < lowest + found.step
    assert found.values[0] == found.low
    assert found.values[-1] == found.high
