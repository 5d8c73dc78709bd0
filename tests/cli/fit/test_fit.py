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
from tests.cli.calls import call
from tests.cli.fit.fits import COLUMNS, GROUP, QUICK, X, Y, fit
from tests.estimators.tables import gains


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


def test_mini_batches_are_said(table):
    arguments = [table, *COLUMNS, "--lipschitz", 5, "--batch-size", 20]
    found = fit(*arguments)
    assert (found["iterations"], found["made_by"]["optimiser"]) == (15, "online_lbfgs")
    said = call("fit", *arguments, *QUICK, "--tol", 1e-9)
    assert "15 passes in mini-batches of 20 of online_lbfgs (reference)" in said.stdout
    assert "still fell after 15 passes in mini-batches of 20; the bound holds" in said.stderr


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
