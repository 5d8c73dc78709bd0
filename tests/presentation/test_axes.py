"""Every field of a request, and one planted into its declaration, walks through everything that tells runs apart."""

import csv
import io
import json
from dataclasses import field, make_dataclass, replace

import pytest

from normbench import specs
from normbench.analysis.compare import compare
from normbench.analysis.leaderboard import boards
from normbench.analysis.selection import board_key, row_key
from normbench.analysis.sensitivity import learning_rate_sensitivity
from normbench.cli.output import print_records
from normbench.presentation import exports
from normbench.presentation.changes import METRICS
from normbench.presentation.commands import command
from normbench.presentation.page.backends import backend_pairs
from normbench.presentation.page.reaching import reaching_runs
from normbench.presentation.page.ways import sections
from normbench.records.store import Store
from normbench.running.axis import Axis, Level, Place, declared
from normbench.running.request import AXES, RunRequest, axes
from tests.changes import changed

OTHER = {
    "task": "neural-fly",
    "optimiser": "sgd",
    "hyperparameters": {"manifold": "oblique"},
    "backend": "jax",
    "seed": 7,
    "iterations": 50,
    "layers": (12, 9, 3),
    "split": "blocked",
    "device": "cuda",
    "dtype": "float64",
    "batch_size": 32,
    "schedule": "plateau",
    "activation": "tanh",
    "initialisation": "orthogonal",
    "augmentation": "crop_flip",
    "lipschitz": 20.0,
    "output_scale": 3.0,
    "parametrisation": "spectral",
    "judged_on": "validation",
    "devices": 2,
    "flavour": "bitter",
}
PLANTED = make_dataclass(
    "Planted",
    [
        (
            "flavour",
            str,
            field(
                default="plain",
                metadata=Axis(Level.ROW, Place.HOW, words="tastes {}", option="--flavour").metadata,
            ),
        )
    ],
    bases=(RunRequest,),
    frozen=True,
    kw_only=True,
)


@pytest.fixture(params=[*(axis.name for axis in AXES), "flavour"])
def axis(request, monkeypatch):
    """A field of the declaration; the planted one is in it as if it had been written there."""
    if request.param == "flavour":
        [planted] = (axis for axis in declared(PLANTED) if axis.name == "flavour")
        monkeypatch.setattr("normbench.running.request.AXES", (*AXES, planted))
    return next(axis for axis in axes() if axis.name == request.param)


@pytest.fixture
def on_boards(axis):
    """Skips the field whose other value keeps a run off the boards; it has a test of its own."""
    if axis.name == "judged_on":
        pytest.skip("a trial is no result")


@pytest.fixture
def pair(axis, make):
    """(learning_rate, changes) -> two records that differ in the field alone, and in what it makes of the figures."""

    def made(learning_rate=None, **changes):
        record = make("fgsgd", learning_rate, **changes)
        if axis.name == "flavour":
            record = replace(record, request=PLANTED(**vars(record.request)))
        value = OTHER[axis.name]
        if axis.name == "optimiser":
            other = make(value, learning_rate, **changes)
        elif axis.name == "hyperparameters":
            other = changed(record, hyperparameters=record.request.hyperparameters | value)
        else:
            other = changed(record, **{axis.name: value})
        return record, changed(other, test_rms=2 * record.outcome.test_rms, train_rms=2 * record.outcome.train_rms)

    return made


def test_every_field_has_another_value_here():
    assert OTHER.keys() - {"flavour"} == {axis.name for axis in AXES}


@pytest.mark.usefixtures("on_boards")
def test_two_runs_have_two_names_and_are_never_one_row(axis, pair):
    a, b = pair()
    assert a.record_id != b.record_id
    same = {
        "boards": board_key(a) == board_key(b),
        "rows": row_key(a) == row_key(b),
    }
    assert same == {"boards": axis.separates is not Level.BOARD, "rows": axis.separates is not Level.ROW}
    found = [len(row.records) for board in boards([a, b]) for row in board.optimisers]
    assert found == ([2] if axis.separates is Level.RUN else [1, 1])


@pytest.mark.usefixtures("on_boards")
def test_comparing_one_of_them_with_both_finds_no_change(axis, pair):
    """OLD = both, NEW = one of them, unchanged, and the other way round."""
    a, b = pair()
    for one in (a, b):
        for old, new in (([a, b], [one]), ([one], [a, b])):
            comparisons, old_only, new_only = compare(old, new, metrics=METRICS)
            assert [c.verdict for c in comparisons] == ["undecided"]
            assert [change.difference.mean for c in comparisons for change in c.changes] == [0.0, 0.0]
            assert len([*old_only, *new_only]) == (0 if axis.separates is Level.RUN else 1)


def test_their_searches_are_two(axis, pair):
    b = pair(0.1)[1] if axis.name == "optimiser" else None
    grids = [pair(value) for value in specs.get("fgsgd").tuned.grid]
    first, both = [a for a, _ in grids], [record for pair_ in grids for record in pair_]
    if axis.name == "optimiser":  # its grid is another
        values = specs.get(OTHER["optimiser"]).tuned.grid
        both = first + [changed(b, hyperparameters=b.request.hyperparameters | {"learning_rate": v}) for v in values]
    alone = len(learning_rate_sensitivity(first))
    frame = learning_rate_sensitivity(both)
    assert alone == len(specs.get("fgsgd").tuned.grid)
    assert len(frame) == len(both)
    assert frame["record"].map(lambda run: run.record_id).is_unique


@pytest.mark.usefixtures("on_boards")
def test_their_costs_are_of_two_solvers_or_of_two_problems(axis, pair):
    records = list(pair())
    found = reaching_runs(sections(boards(records)), [1.0])
    assert len({(entry["way"], entry["backend"]) for entry in found}) == (2 if axis.separates is Level.ROW else 1)
    assert len({entry["problem"] for entry in found}) == (1 if axis.separates is Level.ROW else 2)


@pytest.mark.usefixtures("on_boards")
def test_their_labels_differ_on_the_page(axis, pair):
    records = list(pair())
    found = sections(boards(records))
    names = [(section.key, way.label, way.backend) for section in found for way in section.ways]
    assert len(names) == len(set(names)) == (1 if axis.separates is Level.RUN else 2)


def test_backends_agree_only_about_the_same_request(axis, pair):
    a, b = pair()
    elsewhere = changed(b, backend="torch" if axis.name == "backend" else "jax")
    records = [a, elsewhere]
    pairs = [pair for section in sections(boards(records)) for pair in backend_pairs(section)]
    assert pairs == []
    records = [a, changed(a, backend="jax")]
    assert len([p for section in sections(boards(records)) for p in backend_pairs(section)]) == 1


@pytest.mark.parametrize("format_", ["json", "csv"])
def test_run_prints_the_field(axis, pair, format_, tmp_path, capsys):
    print_records(pair(), Store(tmp_path), format_)
    text = capsys.readouterr().out
    if format_ == "json":
        first, second = map(json.loads, text.splitlines())
    else:
        first, second = csv.DictReader(io.StringIO(text))
    assert first[axis.name] != second[axis.name]
    assert first["record"] != second["record"]


@pytest.mark.usefixtures("on_boards")
def test_the_exported_board_has_the_field(axis, pair):
    if axis.separates is Level.RUN:
        pytest.skip("runs of one row")
    found = boards(list(pair()))
    rows = [row for board in found for row in exports.flat(board) if row["kind"] == "optimiser"]
    assert len({json.dumps(row[axis.name]) for row in rows}) == 2
    table = [row for row in csv.DictReader(io.StringIO(exports.csv(found))) if row["kind"] == "optimiser"]
    assert len({row[axis.name] for row in table}) == 2


@pytest.mark.usefixtures("on_boards")
def test_the_commands_that_make_the_rows_again_differ(axis, pair):
    if axis.separates is Level.RUN:
        pytest.skip("runs of one row")
    commands = [command(row, board) for board in boards(list(pair())) for row in board.optimisers]
    assert len(set(commands)) == 2
    assert any(axis.option in words for words in commands)


def test_a_trial_changes_nothing_on_boards_page_and_comparison(make):
    """A better one than every result, at the default and of a newer code."""
    records = [make("adam", seed=seed) for seed in range(3)] + [make("method1", seed=seed) for seed in range(3)]
    better = {"test_rms": 0.01, "train_rms": 0.01, "code_version": "later", "created": "2099-01-01T00:00:00+00:00"}
    trial = changed(records[0], judged_on="validation", **better)
    assert trial.record_id != records[0].record_id
    before, after = boards(records), boards([*records, trial])
    assert exports.csv(after) == exports.csv(before)
    assert [board.outdated for board in after] == [0]
    assert [way.label for way in sections(after)[0].ways] == [way.label for way in sections(before)[0].ways]
    assert reaching_runs(sections(after), [1.0]) == reaching_runs(sections(before), [1.0])
    assert [command(row, after[0]) for row in after[0].optimisers] == [
        command(row, before[0]) for row in before[0].optimisers
    ]
    comparisons, *others = compare(records, [*records, trial], metrics=METRICS)
    assert ([c.verdict for c in comparisons], others) == (["undecided"] * 2, [[], []])
    assert [board.trials for board in after] == [(trial,)]
    assert boards([trial]) == []


def test_a_field_at_its_default_leaves_the_names_of_earlier_records(make):
    record = make("adam")
    planted = replace(record, request=PLANTED(**vars(record.request)))
    assert planted.record_id == record.record_id
    assert "flavour" in planted.as_dict()


def test_what_a_row_is_not_called_by_a_rounded_value(make):
    records = [make("adam", 0.01, tuning_runs=5), make("adam", 0.0100000001, tuning_runs=5)]
    [section] = sections(boards(records))
    assert len({way.label for way in section.ways}) == 2
