"""``normbench fit``: a table becomes a network whose bound holds, and what is said of it is so."""

import json
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import StandardScaler

from normbench import LipschitzClassifier, LipschitzRegressor, specs
from normbench.certificates.stored import StoredNetwork
from normbench.reference.trainer import ReferenceTrainer
from tests.cli.calls import call
from tests.estimators.tables import flights, gains, rings

X, Y = flights(samples=120)
GROUP = np.repeat(list("abcde"), 24)
COLUMNS = ["--inputs", "v,q_0,q_1", "--outputs", "fx,fz"]
QUICK = ["--backend", "reference", "--hidden", "5", "--max-iter", 15, "--tol", 0]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("mine") / "wind tunnel.csv"
    cells = {"v": [str(row) for row in X[:, :2].tolist()], "q_0": X[:, 2], "q_1": X[:, 3], "fx": Y[:, 0], "fz": Y[:, 1]}
    pd.DataFrame(cells | {"flight": GROUP, "t": np.arange(120) * 0.5}).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def surfaces(tmp_path_factory):
    path, (x, y) = tmp_path_factory.mktemp("mine") / "surfaces.npz", rings(samples=90)
    np.savez(path, east=x[:, 0], north=x[:, 1], ring=y, number=np.unique(y, return_inverse=True)[1])
    return path


def fit(*arguments):
    """The JSON of a call, and nothing beside it."""
    result = call("fit", *arguments, *QUICK, "--format", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout, parse_constant=pytest.fail)


@pytest.mark.parametrize(
    ("columns", "together"), [(["--group", "flight"], GROUP), (["--time", "t"], np.arange(120) // 10), ([], None)]
)
def test_early_stopping_holds_out_by_the_rule_of_the_test_rows(columns, together, table, tmp_path):
    net, share = tmp_path / "net.npz", ["--test-share", 0, "--validation-fraction", 0.3]
    found = fit(table, *COLUMNS, "--lipschitz", 500, *columns, *share, "--early-stopping", "--save", net)
    options = {"backend": "reference", "hidden": (5,), "max_iter": 15, "tol": 0.0, "early_stopping": True}
    model = LipschitzRegressor(500.0, **options, validation_fraction=0.3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, Y, groups=together)
    np.testing.assert_array_equal(LipschitzRegressor.load(net).validation_loss_curve_, model.validation_loss_curve_)
    assert found["iterations"] == model.n_iter_


@pytest.mark.quick
def test_the_network_and_its_figures_are_what_is_said(table, tmp_path):
    net = tmp_path / "net.npz"
    found = fit(table, *COLUMNS, "--lipschitz", 20, "--group", "flight", "--unit", "N", "--save", net)
    assert (found["rows"], found["inputs"]) == (120, ["v_0", "v_1", "q_0", "q_1"])
    assert (found["split"], found["rows_train"], found["rows_test"], found["unit"]) == ("grouped", 96, 24, "N")
    [group] = found["groups_test"]
    test = group == GROUP
    model = LipschitzRegressor.load(net)
    assert list(model.feature_names_in_) == found["inputs"]
    assert (model.provenance_["outputs"], model.provenance_["unit"]) == ("fx, fz", "N")
    named = pd.DataFrame(X, columns=found["inputs"])
    errors = model.predict(named) - Y
    np.testing.assert_allclose(
        [found["scores"]["network"][part] for part in ("train", "test")],
        [np.sqrt(np.square(errors[rows]).sum(axis=1).mean()) for rows in (~test, test)],
    )
    np.testing.assert_allclose(list(found["test_rms"].values()), np.sqrt(np.square(errors[test]).mean(axis=0)))
    linear = LinearRegression().fit(X[~test], Y[~test])
    expected = np.sqrt(np.square(linear.predict(X[test]) - Y[test]).sum(axis=1).mean())
    assert found["scores"]["linear"]["test"] == pytest.approx(expected)
    assert found["scores"]["linear"]["gain"] == pytest.approx(np.linalg.norm(linear.coef_, 2))
    assert found["scores"]["mean"]["test"] == pytest.approx(
        np.sqrt(np.square(Y[test] - Y[~test].mean(axis=0)).sum(axis=1).mean())
    )
    assert found["scores"]["zero"]["test"] == pytest.approx(np.sqrt(np.square(Y[test]).sum(axis=1).mean()))
    assert (found["bound"], found["bound_over_inputs"]) == (model.lipschitz_bound_, model.lipschitz_bound_)
    assert gains(lambda x: model.predict(pd.DataFrame(x, columns=found["inputs"])), X).max() <= found["bound"] <= 20.0
    assert call("certify", net).exit_code == 0
    assert found["scores"]["network"]["test"] < found["scores"]["linear"]["test"]


def test_the_same_call_gives_the_same_network_and_another_seed_another(table, tmp_path):
    nets = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        net = tmp_path / f"{name}.npz"
        fit(table, *COLUMNS, "--lipschitz", 5, "--seed", seed, "--save", net, "--split", "random")
        nets.append({key: array for key, array in np.load(net).items() if key != "witness_seconds"})
    assert all(np.array_equal(nets[0][key], nets[1][key]) for key in nets[0])
    assert not np.array_equal(nets[0]["weight_0"], nets[2]["weight_0"])


def test_the_report_has_the_figures_in_words_and_what_to_do_next(table, tmp_path):
    net = tmp_path / "my net.npz"
    arguments = [table, *COLUMNS, "--lipschitz", 20, "--time", "t", "--unit", "N"]
    found = fit(*arguments)
    result = call("fit", *arguments, *QUICK, "--save", net)
    assert result.exit_code == 0, result.output
    said = result.stdout
    assert "wind tunnel: 120 rows; v_0, v_1, q_0, q_1 to fx, fz." in said
    held = f"Trained on {found['rows_train']} rows, tested on {found['rows_test']}, held out as whole blocks of time."
    assert held in said
    row = re.search(r"^network +(\S+) +(\S+) +at most (\S+)$", said, re.MULTILINE)
    assert [float(row[1]), float(row[2])] == pytest.approx(
        [found["scores"]["network"][part] for part in ("train", "test")], rel=1e-2
    )
    assert found["bound"] <= float(row[3]) <= found["bound"] * 1.001
    assert re.search(r"^linear least squares .*\d$", said, re.MULTILINE)
    assert "test RMS in N" in said
    assert "per unit of change of the inputs (asked for: 20; by " in said
    assert f"normbench certify '{net}'" in said
    assert call("certify", net).exit_code == 0
    assert "Nothing is stored. Add --save net.npz" in call("fit", *arguments, *QUICK).stdout


def test_standardised_inputs_have_both_bounds(table, tmp_path):
    net = tmp_path / "net.npz"
    arguments = [table, *COLUMNS, "--lipschitz", 4, "--split", "random", "--standardise"]
    found = fit(*arguments, "--save", net)
    model = LipschitzRegressor.load(net)
    assert (found["bound_per"], found["bound"]) == ("standard deviation", model.lipschitz_bound_)
    assert found["bound_over_inputs"] == pytest.approx(found["bound"] / model.network_.input_spread.min())
    whole = fit(*arguments, "--test-share", "0")["scores"]["linear"]
    linear = LinearRegression().fit(StandardScaler().fit_transform(X), Y)
    assert whole["gain"] == pytest.approx(np.linalg.norm(linear.coef_, 2))
    assert whole["train"] == pytest.approx(
        np.sqrt(np.square(linear.predict(StandardScaler().fit_transform(X)) - Y).sum(axis=1).mean())
    )
    said = call("fit", *arguments, *QUICK).stdout
    assert "per standard deviation of change (asked for: 4; by " in said
    assert re.search(r"Of inputs as they stand in the table: by at most \S+ per unit\.", said)


@pytest.mark.parametrize("output", [["ring"], ["number", "--classes"]])
def test_text_and_numbers_can_be_classes(surfaces, output, tmp_path):
    net = tmp_path / "net.npz"
    arguments = [surfaces, "--inputs", "east,north", "--outputs", *output, "--lipschitz", 5]
    found = fit(*arguments, "--save", net)
    model = LipschitzClassifier.load(net)
    assert (
        list(model.classes_) == found["classes"] == (["far", "middle", "near"] if output[0] == "ring" else list("012"))
    )
    assert (found["measure"], found["scores"]["linear"]["gain"], found["test_rms"]) == ("accuracy", None, {})
    assert found["scores"]["network"]["test"] > found["scores"]["most frequent"]["test"]
    assert found["certified_radius"] > 0
    assert call("certify", net).exit_code == 0
    said = call("fit", *arguments, *QUICK).stdout
    assert re.search(r"^network +\S+ % +\S+ %$", re.sub(r" +at most \S+$", "", said, flags=re.MULTILINE), re.MULTILINE)
    assert re.search(
        r"Half of the test rows keep their class under any change by less than \S+ units of the inputs\.", said
    )


def test_nothing_is_held_out_where_nobody_wants_it(table):
    found = fit(table, *COLUMNS, "--lipschitz", 5, "--test-share", 0, "--group", "flight")
    assert (found["split"], found["rows_train"], found["rows_test"], found["test_rms"]) == ("none", 120, 0, {})
    assert found["scores"]["network"]["test"] is None
    said = call("fit", table, *COLUMNS, "--lipschitz", 5, "--test-share", 0, *QUICK).stdout
    assert "Trained on all 120 rows" in said
    assert "test RMS" not in said


def test_files_can_be_the_groups(table, tmp_path):
    rows = pd.read_csv(table)
    for name, part in rows.groupby("flight"):
        part.to_csv(tmp_path / f"{name}.csv", index=False)
    found = fit(tmp_path, *COLUMNS, "--lipschitz", 5, "--group", "file", "--test-share", 0.4)
    assert (len(found["groups_test"]), found["rows_test"]) == (2, 48)
    assert set(found["groups_test"]) < {f"{name}.csv" for name in "abcde"}


@pytest.mark.parametrize("outputs", [["fx,fz"], ["ring"]], ids=["forces", "classes"])
def test_a_weight_counts_as_so_many_rows(table, outputs, tmp_path):
    rows = pd.read_csv(table).assign(ring=np.where(X[:, 2] > X[:, 3] - 7, "near", "far"))
    rows["worth"] = np.random.default_rng(5).integers(0, 4, size=len(rows))
    rows.to_csv(tmp_path / "worth.csv", index=False)
    rows.loc[rows.index.repeat(rows["worth"])].to_csv(tmp_path / "copies.csv", index=False)
    arguments = ["--inputs", "v,q_0,q_1", "--outputs", *outputs, "--lipschitz", 2]
    weighted = [tmp_path / "worth.csv", *arguments, "--weight", "worth"]
    found, copies = fit(*weighted, "--test-share", 0), fit(tmp_path / "copies.csv", *arguments, "--test-share", 0)
    assert (found["rows"], found["weights"], copies["weights"]) == ((rows["worth"] > 0).sum(), "worth", "")
    for name, score in copies["scores"].items():
        assert found["scores"][name]["train"] == pytest.approx(score["train"], rel=1e-6), name
        assert found["scores"][name]["gain"] == (score["gain"] and pytest.approx(score["gain"], rel=1e-6)), name
    net = tmp_path / "net.npz"
    tested = fit(*weighted, "--group", "flight", "--save", net)
    aside = rows[rows["flight"].isin(tested["groups_test"])]
    model = (LipschitzRegressor if outputs == ["fx,fz"] else LipschitzClassifier).load(net)
    x = pd.DataFrame(X[aside.index], columns=found["inputs"])
    if outputs == ["fx,fz"]:
        errors = np.square(model.predict(x) - aside[["fx", "fz"]].to_numpy())
        expected = np.sqrt(np.average(errors.sum(axis=1), weights=aside["worth"]))
        each = np.sqrt(np.average(errors, axis=0, weights=aside["worth"]))
        np.testing.assert_allclose(list(tested["test_rms"].values()), each)
    else:
        expected = np.average(model.predict(x) == aside["ring"], weights=aside["worth"])
    assert tested["scores"]["network"]["test"] == pytest.approx(expected)
    assert model.provenance_["weights"] == "worth"
    assert "Rows count by worth, in training and in errors." in call("fit", *weighted, *QUICK).stdout


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["1", "-2"], "worth.csv, column 'worth', row 2: a weight of -2.0. Weights are at least 0"),
        (["1", ""], "60 of 120 rows have no finite number in 'worth', the first is row 2"),
        (["heavy", "1"], "column 'worth', row 1: 'heavy' is no number"),
        (["[1, 2]", "[1, 2]"], "column 'worth': vectors; a weight is one number a row"),
        (["0", "0"], "has 0 rows of a weight above 0; at least 10 are needed"),
    ],
)
def test_weights_in_a_table_that_are_none_are_one_error(table, cells, message, tmp_path):
    pd.read_csv(table).assign(worth=cells * 60).to_csv(tmp_path / "worth.csv", index=False)
    result = call("fit", tmp_path / "worth.csv", *COLUMNS, "--lipschitz", 1, "--weight", "worth", *QUICK)
    assert (result.exit_code, result.stdout) == (1, "")
    assert message in " ".join(result.stderr.split())


def test_mini_batches_are_said(table):
    arguments = [table, *COLUMNS, "--lipschitz", 5, "--batch-size", 20]
    found = fit(*arguments)
    assert (found["iterations"], found["made_by"]["optimiser"]) == (15, "polar_average")
    said = call("fit", *arguments, *QUICK, "--tol", 1e-9)
    assert "15 passes in mini-batches of 20 of polar_average (reference)" in said.stdout
    assert "still fell after 15 passes in mini-batches of 20; the bound holds" in said.stderr


@pytest.mark.parametrize(
    ("bound", "more", "remark"),
    [
        (0.01, [], r"bound of 0.01 is so small .* is it in output units per unit of the inputs\? .* a gain of \d"),
        (1e7, [], r"bound of 1e\+07 does not bind: .* The linear fit has a gain of \d"),
        (5, ["--tol", "1e-9"], "still fell after 15 iterations"),
        (5, ["--time", "q_1", "--split", "blocked"], ""),
        (5, ["--time", "slow"], "Most blocks of 5 s hold a single row"),
        (5, ["--inputs", "v,q_0,q_1,same"], "Inputs that never vary say nothing: same"),
    ],
)
def test_what_looks_wrong_is_remarked(table, bound, more, remark, tmp_path):
    rows = pd.read_csv(table).assign(slow=np.arange(120) * 60.0, same=1.0)
    rows.to_csv(tmp_path / "t.csv", index=False)
    arguments = [tmp_path / "t.csv", *COLUMNS, "--lipschitz", bound, *QUICK, *more]
    result = call("fit", *arguments, "--format", "json")
    assert result.exit_code == 0, result.output
    remarks = json.loads(result.stdout)["remarks"]
    assert len(remarks) == (1 if remark else 0), remarks
    assert result.stderr == "".join(f"Note: {text}\n" for text in remarks)
    assert not remark or re.search(remark, remarks[0])


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--inputs", "w", "--outputs", "fx", "--lipschitz", 1], 2, "wind tunnel.csv has no column 'w'."),
        (["--outputs", "fx", "--lipschitz", 1], 2, "Missing option '--inputs'"),
        ([*COLUMNS], 2, "Missing option '--lipschitz'"),
        ([*COLUMNS, "--lipschitz", -1], 2, "'-1' is not a positive finite number"),
        ([*COLUMNS, "--lipschitz", "nan"], 2, "'nan' is not a positive finite number"),
        ([*COLUMNS, "--lipschitz", 1, "--test-share", 1], 2, "--test-share must be at least 0 and below 1; got 1.0"),
        (
            [*COLUMNS, "--lipschitz", 1, "--test-share", "nan"],
            2,
            "--test-share must be at least 0 and below 1; got nan",
        ),
        ([*COLUMNS, "--lipschitz", 1, "--split", "grouped"], 2, "--split grouped needs --group"),
        ([*COLUMNS, "--lipschitz", 1, "--split", "blocked"], 2, "--split blocked needs --time"),
        ([*COLUMNS, "--lipschitz", 1, "--hidden", "6,-1"], 2, "'6,-1' is no list of widths"),
        ([*COLUMNS, "--lipschitz", 1, "--save", "net.txt"], 2, "--save net.txt must end in .npz"),
        ([*COLUMNS, "--lipschitz", 1, "--parametrisation", "free"], 2, "free"),
        ([*COLUMNS, "--lipschitz", 1, "--batch-size", 0], 2, "0 is not in the range x>=1"),
        ([*COLUMNS, "--lipschitz", 1, "--batch-size", 200], 2, "--batch-size 200 is more than the 96 rows that train"),
        (
            [*COLUMNS, "--lipschitz", 1, "--batch-size", 9, "--optimiser", "method1"],
            2,
            "'method1' searches along a line",
        ),
        *(
            ([*COLUMNS, "--lipschitz", 1, "--test-share", share, *how], 2, f"--test-share {share} is what parts {then}")
            for share, how, then in (
                ("0.999", [], "them: choose a smaller one"),
                ("0.999", ["--group", "flight"], "them: choose a smaller one"),
                ("0.001", [], "them: choose a larger one"),
            )
        ),
        ([*COLUMNS, "--lipschitz", 1e-30], 2, "--lipschitz 1e-30 lets the outputs move by"),
        ([*COLUMNS, "--lipschitz", 1, "--set", "history=0"], 2, "history must lie in [1,"),
        ([*COLUMNS, "--lipschitz", 1, "--set", "histroy=3"], 2, "geodesic_lbfgs has no hyperparameter 'histroy'. Did"),
        ([*COLUMNS, "--lipschitz", 1, "--set", "history"], 2, "--set takes NAME=VALUE; got 'history'"),
        ([*COLUMNS, "--lipschitz", 1, "--optimiser", "adan"], 2, "'adan' is not one of"),
        ([*COLUMNS, "--lipschitz", 1, "--optimiser", "no_such:Adam"], 2, "'no_such:Adam' cannot be imported"),
        ([*COLUMNS, "--lipschitz", 1, "--optimiser", "math:sqrt"], 2, "math:sqrt"),
        (
            [*COLUMNS, "--lipschitz", 1, "--optimiser", "torch.optim:SGD", "--set", "lr=-1"],
            2,
            "learning_rate must lie in",
        ),
        (
            [*COLUMNS, "--lipschitz", 1, "--optimiser", "torch.optim:NAdam", "--set", "betas=0.5,2"],
            2,
            "Invalid beta parameter at index 1: 2.0. Change them by --set.",
        ),
        (
            [*COLUMNS, "--lipschitz", 1, "--optimiser", "torch.optim:SGD", "--backend", "jax"],
            2,
            "torch.optim:SGD is not implemented on backend 'jax'",
        ),
        ([*COLUMNS, "--lipschitz", 1, "--weight", "w"], 2, "wind tunnel.csv has no column 'w'."),
        (["--inputs", "fx", "--outputs", "flight,fz", "--lipschitz", 1], 1, "column 'flight', row 1: 'a' is no number"),
    ],
)
def test_what_cannot_be_fitted_is_one_error(table, arguments, code, message):
    result = call("fit", table, *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in " ".join(result.stderr.split())
    assert len(re.findall(r"^(?:│ |Error: )?(?=\S)", result.stderr, re.MULTILINE)) <= 4


def test_the_defaults_of_the_help_are_those_of_the_estimator():
    text = " ".join(call("fit", "--help").stdout.partition("Options:")[2].split())
    said = {
        name: re.search(rf"--{option} .*?\[default: ([^\]]*)\]", text)[1]
        for name in ("hidden", "optimiser", "dtype", "max_iter", "tol")
        for option in [name.replace("_", "-")]
    }
    own = LipschitzRegressor().get_params()
    expected = {name: ",".join(map(str, own[name])) if name == "hidden" else str(own[name]) for name in said}
    assert said == expected


def test_the_network_is_not_written_over_the_table(surfaces, tmp_path):
    table = tmp_path / "surfaces.npz"
    table.write_bytes(surfaces.read_bytes())
    (tmp_path / "link.npz").symlink_to(table)
    for save in (table, tmp_path / "link.npz"):
        result = call(
            "fit", table, "--inputs", "east,north", "--outputs", "ring", "--lipschitz", 5, *QUICK, "--save", save
        )
        assert (result.exit_code, result.stdout) == (2, "")
        assert "which would be lost. Choose another name." in result.stderr
    assert table.read_bytes() == surfaces.read_bytes()


def test_an_optimiser_of_another_package_trains_as_the_estimator_has_it(table, tmp_path, monkeypatch):
    (tmp_path / "own_of_fit.py").write_text(
        "from torch.optim import SGD\n\n\nclass Own(SGD):\n"
        "    def __init__(self, params, lr=0.1, momentum=0.5):\n        super().__init__(params, lr, momentum)\n"
    )
    monkeypatch.chdir(tmp_path)
    asked = [
        "--optimiser",
        "own_of_fit:Own",
        "--set",
        "lr=0.05",
        "--set",
        "own_of_fit:Own.momentum=0.25",
        "--hidden",
        "4",
    ]
    arguments = [table, *COLUMNS, "--lipschitz", 20, *asked, "--max-iter", 4, "--tol", 0, "--test-share", 0]
    result = call("fit", *arguments, "--save", "net.npz", "--format", "json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["made_by"]["optimiser"], found["made_by"]["optimiser_package"]) == ("own_of_fit:Own", "own_of_fit")
    model = LipschitzRegressor.load(tmp_path / "net.npz")
    assert model.get_params()["hyperparameters"] == {"learning_rate": 0.05, "momentum": 0.25}
    named = pd.DataFrame(X, columns=found["inputs"])
    np.testing.assert_array_equal(
        LipschitzRegressor(**model.get_params()).fit(named, Y).predict(named), model.predict(named)
    )
    assert call("certify", "net.npz").exit_code == 0


def test_hyperparameters_reach_the_automatic_optimiser_of_both_kinds(table):
    def losses(*more):
        return fit(table, *COLUMNS, "--lipschitz", 20, "--test-share", 0, *more)["scores"]["network"]["train"]

    usual = specs.get("geodesic_lbfgs").defaults["history"]
    assert losses("--set", "history=1") != losses() == losses("--set", f"geodesic_lbfgs.history={usual}")
    batches = ["--batch-size", 30]
    assert losses(*batches, "--set", "momentum=0.5") != losses(*batches)


def test_an_interrupted_fit_leaves_no_file_and_says_so(table, tmp_path, monkeypatch):
    """It said that what was finished is stored, and that the same command goes on from there."""

    def interrupted(trainer, steps):
        raise KeyboardInterrupt  # as a signal does, which pytest-xdist has another answer for

    net = tmp_path / "nets" / "net.npz"
    with monkeypatch.context() as patch:
        patch.setattr(ReferenceTrainer, "advance", interrupted)
        result = call("fit", table, *COLUMNS, "--lipschitz", 5, *QUICK, "--save", net)
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr == "Interrupted. Files are written whole or not at all: none is half finished.\n"
    assert not list(tmp_path.rglob("*.*"))
    fit(table, *COLUMNS, "--lipschitz", 5, "--save", net)  # which makes the folder
    before = net.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(StoredNetwork, "write", interrupted)
        assert call("fit", table, *COLUMNS, "--lipschitz", 2, *QUICK, "--save", net).exit_code == 130
    assert net.read_bytes() == before
