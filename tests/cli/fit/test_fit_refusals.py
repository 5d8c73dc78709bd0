"""``normbench fit``: what is wrong is one error, what looks wrong a remark, and no file is lost or half written."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from normbench.certificates.stored import StoredNetwork
from normbench.reference.trainer import ReferenceTrainer
from tests.cli.calls import call
from tests.cli.fit.fits import COLUMNS, QUICK, fit


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
    ("noise", "bound", "more", "expected"),
    [
        (1.0, 100, [], r"is [\d.]+ times that on the training rows, .* A smaller bound, --early-stopping or fewer"),
        (1.0, 0.5, [], ""),
        (0.001, 1.5, ["--hidden", 0], ""),
    ],
)
def test_rows_that_are_followed_too_closely_are_remarked_and_not_trained_for_longer(
    noise, bound, more, expected, tmp_path
):
    rng = np.random.default_rng(0)
    v, q = rng.normal(size=(2, 90))
    pd.DataFrame({"v": v, "q": q, "f": v - q + noise * rng.normal(size=90)}).to_csv(tmp_path / "t.csv", index=False)
    given = ["--inputs", "v,q", "--outputs", "f", "--lipschitz", bound, "--max-iter", 300, *more]
    said = json.loads(call("fit", tmp_path / "t.csv", *given, "--format", "json").stdout)
    close = [text for text in said["remarks"] if "too closely" in text]
    assert len(close) == bool(expected)
    assert all(re.search(expected, text) for text in close)
    assert not close or not any("--max-iter" in text for text in said["remarks"])


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
        ([*COLUMNS, "--lipschitz", 1, "--hidden", "9999999,9999999"], 2, "GiB of memory. Choose smaller --hidden."),
        (
            [*COLUMNS, "--lipschitz", 1, "--validation-fraction", 0.3],
            2,
            "--validation-fraction is the part that --early",
        ),
        ([*COLUMNS, "--lipschitz", 1, "--save", "net.txt"], 2, "--save net.txt must end in .npz"),
        ([*COLUMNS, "--lipschitz", 1, "--parametrisation", "free"], 2, "free"),
        ([*COLUMNS, "--lipschitz", 1, "--batch-size", 0], 2, "0 is not in the range x>=1"),
        ([*COLUMNS, "--lipschitz", 1, "--batch-size", 200], 2, "--batch-size 200 is more than the 96 rows that train"),
        (
            [*COLUMNS, "--lipschitz", 1, "--batch-size", 9, "--optimiser", "method1"],
            2,
            "'method1' searches for where",
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


def test_a_network_that_says_nothing_is_remarked(table):
    """Of twelve so narrow ones about half are dead when they are drawn."""
    said, same = [], []
    for seed in range(12):
        more = ["--hidden", "1,1,1", "--seed", seed, "--lipschitz", 5, "--test-share", 0, "--format", "json"]
        found = json.loads(call("fit", table, *COLUMNS, *QUICK, *more).stdout)
        said.append(any("same for every row" in text for text in found["remarks"]))
        network, mean = (found["scores"][name]["train"] for name in ("network", "mean"))
        same.append(network == pytest.approx(mean, rel=1e-12))
        assert not said[-1] or any("(--hidden) or another --seed." in text for text in found["remarks"])
    assert said == same
    assert 0 < sum(said) < 12
