"""The leaderboard shows every way of optimising, what it cost, what failed, and what it stands beside."""

import csv
import io
import json
import math
import shlex

import pytest
from rich.console import Console

from normbench.analysis.leaderboard import boards
from normbench.cli.run_options import one_call
from normbench.papers.asgd.published import board_rows
from normbench.presentation import cells, exports, tables
from normbench.presentation.boards import terminal
from normbench.presentation.captions import captions
from normbench.presentation.commands import command
from normbench.presentation.labels import board_title, tuning_label
from normbench.presentation.quantities import LEGEND, shown
from tests.changes import changed

pytestmark = pytest.mark.quick


def find_row(board, **wanted):
    """The first row whose attributes have the wanted values."""
    return next(row for row in board.rows if all(getattr(row, name) == value for name, value in wanted.items()))


def over_seeds(make, values, **changes):
    return [make(seed=seed, train_rms=v, test_rms=v, **changes) for seed, v in enumerate(values)]


def only(records):
    [board] = boards(records, published=board_rows)
    return board


def text(board, width=120):
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(terminal([board], width=width))
    return console.export_text()


def test_a_row_holds_mean_and_sample_sd_over_seeds(make):
    row = find_row(only(over_seeds(make, [0.8, 0.9, 1.0])), kind="optimiser")
    assert (row.test.mean, row.test.sd, row.seeds) == (pytest.approx(0.9), pytest.approx(0.1), (0, 1, 2))
    assert tuning_label(row) == "none"


def test_one_seed_shows_no_deviation(make):
    row = find_row(only([make(test_rms=0.5)]), kind="optimiser")
    assert tables.mean_sd(row.test) == "0.500"


@pytest.mark.parametrize(
    "lost", [{"train_rms": math.nan, "test_rms": math.nan, "status": "diverged"}, {"test_rms": math.inf}]
)
def test_rows_are_sorted_by_test_rms_and_incomplete_rows_cannot_lead(make, lost):
    records = [
        *over_seeds(make, [0.9, 0.9], optimiser="method1"),
        *over_seeds(make, [0.8, 0.8], optimiser="agd"),
        make("method2", seed=0, test_rms=0.1, iterations=3000),
        make("method2", seed=1, iterations=3000, **lost),
    ]
    found = [r for r in only(records).rows if r.kind == "optimiser"]
    assert [(r.optimiser, r.rank is None) for r in found] == [("agd", False), ("method1", False), ("method2", True)]


def test_failures_are_counted_and_shown(make):
    records = [make(seed=i, status=s) for i, s in enumerate(["done", "stalled", "diverged", "failed", "failed"])]
    assert cells.failures(find_row(only(records), kind="optimiser")) == "1 stalled, 1 diverged, 2 failed"


def test_tuning_shows_default_and_best_and_hides_the_search(make):
    records = [
        make("adam", 1e-3, seed=0),
        make("adam", 1e-2, seed=0, tuning_runs=5),
        make("adam", 1e-1, seed=0),
        make("adam", 1.0, seed=0),
    ]
    board = only(records)
    assert sorted(map(tuning_label, board.optimisers)) == ["best of 5: 0.01", "default 0.001"]
    assert "2 search runs" in text(board).replace("\n", " ")


def test_a_best_value_at_the_end_of_its_grid_is_marked(make):
    edge = only([make("adam", 1.0, tuning_runs=5)])
    inside = only([make("adam", 1e-2, tuning_runs=5)])
    assert "best of 5: 1 †" in text(edge)
    assert "†" not in text(inside).split(LEGEND)[0]


def test_a_default_that_is_also_the_best_has_one_row(make):
    row = find_row(only([make("adam", 1e-3, tuning_runs=5)]), kind="optimiser")
    assert tuning_label(row) == "best of 5: 0.001 (default)"


def test_other_hyperparameters_make_another_row(make):
    third = make(hyperparameters=make().request.hyperparameters | {"order": 3})
    assert set(map(tuning_label, only([make(), third]).optimisers)) == {"none", "order 3"}


def test_rows_of_unequal_seeds_are_said_to_be_unpaired(make):
    paired = only(over_seeds(make, [1, 1]) + over_seeds(make, [1, 1], optimiser="agd"))
    unpaired = only(over_seeds(make, [1, 1]) + over_seeds(make, [1, 1, 1], optimiser="agd"))
    assert not any("WARNING" in note for note in captions(paired))
    assert any("not paired" in note for note in captions(unpaired))


def test_records_of_older_code_are_left_out_and_counted(make):
    old = make(seed=0, test_rms=9.0, code_version="old", created="2020-01-01T00:00:00+00:00")
    board = only([old, make(seed=0, test_rms=1.0)])
    assert find_row(board, kind="optimiser").test.mean == 1.0
    assert any("1 records of earlier code" in note for note in captions(board))


def made_with(record, **versions):
    return changed(record, environment=record.provenance.environment | versions)


@pytest.mark.parametrize("library", ["torch", "numpy", "pytorch-optimizer", "blas"])
def test_a_row_holds_the_runs_of_one_version_of_a_library_and_the_others_are_counted(make, library):
    runs = [made_with(make(seed=seed, test_rms=1.0 + (seed == 1)), **{library: "0.0.1"}) for seed in range(3)]
    runs[1] = made_with(runs[1], **{library: "0.0.2"})
    board = only(runs)
    assert (find_row(board, kind="optimiser").seeds, find_row(board, kind="optimiser").test.mean) == ((0, 2), 1.0)
    assert any("1 records of" in note and "other versions of libraries" in note for note in captions(board))


@pytest.mark.parametrize(
    "versions", [{"pandas": "0.0.1"}, {"python": "0.0.1"}, {"cpu": "x", "jobs": "7"}, {"blas": "not recorded"}]
)
def test_what_changes_no_number_or_is_not_known_parts_no_row(make, versions):
    board = only([make(seed=0), made_with(make(seed=1), **versions)])
    assert find_row(board, kind="optimiser").seeds == (0, 1)
    assert board.outdated == 0


def test_predictors_and_published_figures_stand_beside(make):
    board = only(over_seeds(make, [0.9, 0.9]))
    assert [r.optimiser for r in board.rows if r.kind == "predictor"] == ["zero", "mean", "linear"]
    published = find_row(board, kind="published", optimiser="method1")
    assert (published.train.mean, tuning_label(published)) == (0.837, "published, real data")
    assert not published.simulated


def test_published_figures_stand_beside_nothing_else(make):
    other_network = only([make(layers=(12, 4, 3))])
    other_task = only([make(task="neural-fly")])
    other_split = only([make(split="blocked")])
    assert all(r.kind != "published" for board in (other_network, other_task, other_split) for r in board.rows)


def test_each_task_split_and_network_has_its_own_board(make):
    assert len(boards([make(), make(split="blocked"), make(layers=(12, 4, 3)), make(task="neural-fly")])) == 4
    assert boards([]) == []


@pytest.mark.parametrize("simulated", [True, False])
def test_every_format_says_whether_the_data_are_simulated(make, simulated):
    board = only([make(simulated=simulated)])
    word = "SIMULATED" if simulated else "real data"
    rows = [json.loads(line) for line in exports.json_lines([board]).splitlines()]
    table = list(csv.DictReader(io.StringIO(exports.csv([board]))))

    assert word in text(board).splitlines()[0]
    assert word in exports.markdown([board]).splitlines()[0]
    assert [row["simulated"] for row in rows if row["kind"] != "published"] == [simulated] * 4
    assert {row["simulated"] for row in table if row["kind"] == "optimiser"} == {str(simulated)}


def test_json_and_csv_are_strict_about_missing_figures(make):
    board = only([make(train_rms=math.nan, test_rms=math.nan, status="diverged")])
    first = json.loads(exports.json_lines([board]).splitlines()[0], parse_constant=pytest.fail)
    assert first["test_rms_mean"] is None
    assert first["diverged"] == 1


def test_rows_say_how_sure_they_are(make):
    easier = [0.70, 0.72, 0.74, 0.71, 0.73, 0.75]
    board = only(over_seeds(make, easier) + over_seeds(make, [1.05 * v for v in easier], optimiser="agd"))
    first, second = (find_row(board, optimiser=name, kind="optimiser") for name in ("method1", "agd"))
    assert (first.rank.rank, first.rank.best_share, first.difference) == (1, 1.0, None)
    assert (second.rank.low, second.rank.high, second.difference.pairs) == (2, 2, 6)
    assert second.difference.mean == pytest.approx(0.05)
    assert first.interval.low < first.test.mean < first.interval.high
    shown = text(board)
    assert "1 (1-1)" in shown
    assert "+5.0 % ***" in shown


def test_a_row_without_a_test_rms_has_no_rank(make):
    board = only([*over_seeds(make, [math.nan] * 3, optimiser="agd"), *over_seeds(make, [0.5] * 3, optimiser="lars")])
    assert [(row.optimiser, row.rank and row.rank.rank) for row in board.optimisers] == [("lars", 1), ("agd", None)]
    (alone,) = only(over_seeds(make, [math.nan] * 3)).optimisers
    assert alone.rank is None


def test_a_row_with_a_diverged_run_has_no_rank_and_is_nobodys_measure(make):
    records = [
        *over_seeds(make, [0.8, 0.9], optimiser="agd"),
        make("method2", seed=0, test_rms=0.1),
        make("method2", seed=1, test_rms=math.nan, status="diverged"),
    ]
    board = only(records)
    assert find_row(board, optimiser="agd").rank.high == 1
    assert find_row(board, optimiser="agd").difference is None
    assert find_row(board, optimiser="method2", kind="optimiser").rank is None
    alone = only([make(status="diverged", test_rms=math.nan, train_rms=math.nan)])
    assert all(row.difference is None and row.rank is None for row in alone.rows)


def test_predictors_are_compared_with_the_best_row(make):
    row = find_row(only(over_seeds(make, [0.5, 0.5, 0.5])), optimiser="linear")
    assert (row.difference.mean > 0, row.difference.pairs, row.rank) == (True, 3, None)
    assert math.isfinite(row.interval.low)


def test_a_tuned_row_names_the_command_that_searched_for_it(make):
    grid = [make("adam", value, backend="jax") for value in (1e-4, 1e-3, 1e-1, 1.0)]
    best = {"learning_rate": 1e-2, "tuning_runs": 5}
    board = only([*grid, make("adam", backend="jax", **best), make("adam", backend="torch", **best)])
    tail = "--seeds 1 --iterations 200 --layers 12,25,30,15,3"
    start = "normbench run --task quadrotor-sim --optimiser adam"
    assert command(find_row(board, backend="torch"), board) == f"{start} --backend torch --backend jax {tail}"
    assert {command(r, board) for r in board.rows if r.backend == "jax"} == {f"{start} --backend jax {tail}"}
    assert any("One command makes the default and the best" in note for note in captions(board))


def test_a_command_names_what_is_not_the_default_and_nothing_it_cannot_make(make):
    unusual = {"split": "blocked", "device": "cuda", "dtype": "float64", "layers": (12, 4, 3), "iterations": 7}
    board = only([make(seed=0, **unusual), make(seed=4, **unusual)])
    assert command(board.optimisers[0], board) == (
        "normbench run --task quadrotor-sim --optimiser method1 --backend torch --seeds 5 --iterations 7 "
        "--layers 12,4,3 --split blocked --device cuda --dtype float64"
    )
    reference = only([make(backend="reference", dtype="float64")])
    assert "--dtype" not in command(reference.optimisers[0], reference)
    third = make(hyperparameters=make().request.hyperparameters | {"order": 3})
    other = only([third])
    assert command(other.optimisers[0], other) == (
        "normbench run --task quadrotor-sim --optimiser method1 --set order=3 --backend torch --seeds 1 "
        "--iterations 200 --layers 12,25,30,15,3"
    )


@pytest.mark.parametrize(
    ("seeds", "said"),
    [((0, 1), "2"), ((10, 12), "10..12"), ((2**63 - 2, 2**63 - 1), f"{2**63 - 2}..{2**63 - 1}"), ((0, 100_000), None)],
)
def test_a_command_takes_the_seeds_of_the_row(seeds, said, make):
    """Of seed 2^31 it had 2147483649 seeds, which no command takes."""
    board = only([make(seed=seed) for seed in seeds])
    words = shlex.split(command(board.optimisers[0], board))
    assert (words[words.index("--seeds") + 1] if words else None) == said
    assert not said or {*seeds} <= {*one_call.main(words[2:], standalone_mode=False).seeds}


def test_every_command_of_a_board_is_understood(make):
    from normbench.cli.run import command as run

    board = only([make(), make("adam", 1e-2, backend="jax", tuning_runs=5, dtype="float64", split="random")])
    for row in board.optimisers:
        program, name, *arguments = shlex.split(command(row, board))
        assert (program, name) == ("normbench", "run")
        context = run.make_context("run", arguments)
        parsed = context.params | context.obj
        assert (parsed["optimisers"], parsed["iterations"]) == ((row.optimiser,), row.iterations)
        assert parsed["layers_text"] == "12,25,30,15,3"
        assert set(parsed["backends"]) >= {row.backend}


def test_every_figure_can_be_traced_to_its_records(make):
    records = over_seeds(make, [0.9, 0.8])
    row = find_row(only(records), kind="optimiser")
    assert row.records == tuple(records)
    [found, *_] = exports.flat(only(records))
    assert found["records"] == " ".join(record.record_id for record in records)
    assert f"python {records[0].provenance.environment['python']}" in found["environment"]
    assert found["code_version"] == records[0].provenance.code_version


def test_a_measured_ratio_above_the_bound_is_a_warning(make):
    kept = only([make(lipschitz_certificate=2.0, lipschitz_measured=1.5), make(seed=1, lipschitz_measured=math.nan)])
    broken = only([make(lipschitz_certificate=2.0, lipschitz_measured=2.1)])
    assert exports.flat(kept)[0]["lipschitz_measured"] == 1.5
    assert any("never exceeds the bound" in note for note in captions(kept))
    assert any("EXCEEDS the bound in 1 runs: WARNING" in note for note in captions(broken))


def test_a_bound_that_was_asked_for_and_is_not_proven_is_a_warning(make):
    asked = {"lipschitz": 20.0, "parametrisation": "sandwich", "lipschitz_bound": 118.0, "lipschitz_measured": 15.0}
    kept = only([make(**asked, lipschitz_certificate=19.99)])
    broken = only([make(**asked, lipschitz_certificate=20.01)])
    assert board_title(kept).endswith("L = 20, RMS in N")
    assert "The bound that was asked for, 20, is proven in every run that ended with a network." in captions(kept)
    assert "The bound that was asked for, 20, is NOT PROVEN in 1 runs: WARNING." in captions(broken)
    [row, *_] = exports.flat(kept)
    assert (row["lipschitz"], row["parametrisation"], row["lipschitz_bound"]) == (20.0, "sandwich", 19.99)
    assert row["lipschitz_product"] == 118.0
    assert "--lipschitz 20 --parametrisation sandwich" in row["command"]


def test_passes_over_the_data_are_counted(make):
    board = only([make(loss_evaluations=201, gradient_evaluations=200), make(seed=1, loss_evaluations=211)])
    assert exports.flat(board)[0]["loss_evaluations"] == 206.0
    assert cells.passes(board.rows[0]).startswith("206 + ")


def test_markdown_csv_and_json_carry_everything(make):
    board = only(over_seeds(make, [0.8, 0.9, 0.85]) + over_seeds(make, [0.9, 1.0, 0.95], optimiser="agd"))
    [_, second, *_] = (json.loads(line) for line in exports.json_lines([board]).splitlines())
    table = list(csv.DictReader(io.StringIO(exports.csv([board]))))
    assert (second["rank"], second["rank_low"], second["vs_best_pairs"], len(second["records"].split())) == (2, 2, 3, 3)
    assert second["command"].startswith("normbench run")
    assert (table[1]["rank"], table[1]["vs_best_pairs"]) == ("2", "3")  # and not 2.0
    assert table.pop()["rank"] == ""
    written = exports.markdown([board])
    for quantity in shown(board.rows):
        assert quantity.header in written
    assert f"- `{second['command']}`: agd (torch, none)" in written


def test_rows_that_only_their_iterations_tell_apart_show_these_on_a_narrow_terminal(make):
    short, long = (over_seeds(make, [0.8, 0.9], optimiser="agd", iterations=n) for n in (50, 200))
    other = over_seeds(make, [0.8, 0.9], optimiser="method1", iterations=200)
    assert "iter." not in text(only([*short, *other]), width=80).split("failures")[0]  # of the table's header
    assert "iter." in text(only([*short, *long, *other]), width=80).split("failures")[0]


def test_what_a_narrow_terminal_leaves_out_is_named(make):
    board = only(over_seeds(make, [0.812, 0.834]))
    assert "Left out" not in text(board, 400)
    narrow, wide = text(board, 80), text(board, 120)
    assert narrow.count("Left out") == wide.count("Left out") == 1
    assert "rank" in wide.splitlines()[2]
    assert "rank" not in narrow.splitlines()[2]


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_its_terminal_without_cutting_words(make, width):
    records = over_seeds(make, [0.812, 0.834], optimiser="sgd_momentum", learning_rate=1e4, tuning_runs=5)
    shown = text(only(records), width)
    assert max(map(len, shown.splitlines())) <= width
    assert "…" not in shown
    assert "failures" in shown
    assert "0.823 ± 0.016" in shown
