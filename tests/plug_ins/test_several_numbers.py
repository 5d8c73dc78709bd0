"""Hyperparameters of several numbers, such as the betas of Adam: read, given, computed with, stored and shown."""

import re

import numpy as np
import pytest

import normbench
from normbench import specs
from normbench.analysis.leaderboard import boards
from normbench.analysis.selection import row_key
from normbench.errors import InvalidArgumentError
from normbench.presentation.commands import command
from normbench.records.frame import read_file, write_file
from normbench.records.plug_ins import declared
from normbench.records.schema import from_json
from normbench.records.store import Store
from normbench.specs import Hyperparameter
from tests.cli.calls import call
from tests.plug_ins.test_optimisers import CALL, alike, few, trained  # noqa: F401

NADAM = "torch.optim:NAdam"
NONE_SEARCHED = ["--backend", "torch", "--tune", "none"]


def test_signatures_say_which_have_several_numbers_and_of_which_kind(module):
    module(
        "several",
        "def made(learning_rate, needed: tuple[float, float], steps: 'list[int]', betas=(0.9, 1), sizes=(1, 2),\n"
        "         rates: tuple[float, ...] = (0, 1), rho=[0.5], parts=(None, 0.1), names=('a',), none=()): ...",
    )
    found = {h.name: (h.default, h.required) for h in specs.get("several:made").hyperparameters}
    del found["learning_rate"]
    assert found == {
        "needed": ((0.0, 0.0), True),
        "steps": ((0, 0), True),
        "betas": ((0.9, 1.0), False),
        "sizes": ((1, 2), False),
        "rates": ((0.0, 1.0), False),
        "rho": ((0.5,), False),
    }
    kinds = {name: {type(number) for number in default} for name, (default, _) in found.items()}
    assert kinds["steps"] == kinds["sizes"] == {int}
    assert all(kinds[name] == {float} for name in ("needed", "betas", "rates", "rho"))
    with pytest.raises(
        InvalidArgumentError, match=r"needed of several:made has no default.* hyperparameters, such as needed=0,0"
    ):
        specs.get("several:made").resolve({"learning_rate": 0.1})


@pytest.mark.parametrize(
    ("optimiser", "name", "default"),
    [
        *(("torch.optim:" + key, "betas", (0.9, 0.999)) for key in ("Adam", "AdamW", "Adamax", "NAdam", "RAdam")),
        ("torch.optim:Rprop", "etas", (0.5, 1.2)),
        ("torch.optim:Rprop", "step_sizes", (1e-6, 50.0)),
        ("optax.contrib:prodigy", "betas", (0.9, 0.999)),
    ],
)
def test_tuples_of_torch_and_optax_are_hyperparameters(optimiser, name, default):
    found = {h.name: h.default for h in specs.get(optimiser).hyperparameters}
    assert found[name] == default


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_both_backends_hand_them_over_as_what_the_signature_has(backend, module, few):  # noqa: F811
    """Against the peer that has each number under a name of its own."""
    theirs = "torch.optim:Adam"
    if backend == "jax":
        theirs = "listed:made"
        module(
            "listed",
            "import optax\ndef made(learning_rate=0.1, betas=(0.9, 0.999), rho=[0.0]):\n"
            "    assert type(betas) is tuple and type(rho) is list\n"
            "    return optax.adam(learning_rate, *betas)",
        )
    rate = {"learning_rate": 0.02}
    own = {"hyperparameters": {**rate, "beta1": 0.7, "beta2": 0.97}}
    found = trained(few, theirs, backend, hyperparameters={**rate, "betas": [0.7, 0.97]})
    assert alike(found, trained(few, "adam", backend, **own))
    assert not alike(found, trained(few, "adam", backend, hyperparameters=rate))


@pytest.mark.usefixtures("in_this_process")
def test_they_are_stored_shown_kept_by_every_format_and_made_again(tmp_path):
    run = [*CALL, "--optimiser", NADAM, *NONE_SEARCHED]
    ended = call(*run, "--set", "betas=0.8,0.99", "--out", tmp_path)
    assert ended.exit_code == 0, ended.output
    assert "betas 0.8,0.99" in ended.stdout
    [record], problems = Store.within(tmp_path).load_all()
    assert not problems
    assert record.request.hyperparameters["betas"] == (0.8, 0.99)
    assert from_json(record.to_json(), source="x") == record
    for ending in (".parquet", ".csv", ".csv.gz"):
        file = tmp_path / f"records{ending}"
        write_file([record], file)
        [read] = read_file(file)
        assert (read, read.record_id, read.checksum) == (record, record.record_id, record.checksum)
    spec = declared(NADAM, record.provenance.plug_in)
    assert spec.hyperparameters == specs.get(NADAM).hyperparameters
    # the same values by other words make nothing anew: those of the board, those of a user, those of Python
    [board] = boards([record])
    again = command(board.optimisers[0], board)
    assert re.search(r"--set betas=0.8,0.99( |$)", again), again
    call(*again.split()[1:], "--tune", "none", "--jobs", 1, "--out", tmp_path)
    call(*run, "--set", f"{NADAM}.betas=(0.8, 0.99)", "--out", tmp_path)
    from_python = {"layers": (12, 4, 3), "iterations": 3, "tune": "none", "jobs": 1, "out": tmp_path, "progress": False}
    for value in ((0.8, 0.99), [np.float64(0.8), 0.99], "0.8,0.99"):
        frame = normbench.run((), NADAM, "torch", seeds=1, hyperparameters={NADAM: {"betas": value}}, **from_python)
        assert list(frame["record"]) == [record.record_id]
    assert len(Store.within(tmp_path).load_all()[0]) == 1
    # another value is another run and a row of its own
    normbench.run((), NADAM, "torch", seeds=1, hyperparameters={"betas": (0.9, 0.99)}, **from_python)
    records, _ = Store.within(tmp_path).load_all()
    assert len({row_key(each) for each in records}) == len(records) == 2


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--set", "betas=0.8,fast"], r"betas must be numbers such as 0.9,0.999; got '0.8,fast'"),
        (["--set", "betas=()"], r"betas must be numbers such as 0.9,0.999; got '\(\)'"),
        (["--set", "betas=0.8,nan"], r"each number of betas must lie in .*; got \(0.8, nan\)"),
        (["--set", "betas=0.8"], r"cannot be made with .*betas=\(0.8,\).*IndexError"),
        (["--set", "betas=0.8,0.9,0.99"], r"cannot take a step with .*betas=\(0.8, 0.9, 0.99\).*too many values"),
        (["--set", "betas=0.8,2"], r"cannot be made with .*Invalid beta parameter"),
        (["--set", "lr=0.1,0.2"], r"learning_rate must be a number; got '0.1,0.2'"),
        (["--grid", "betas=0.8,0.9"], r"--grid takes each in parentheses, .*'betas=\(0.9,0.999\),.*; got '0.8,0.9'"),
    ],
)
@pytest.mark.usefixtures("in_this_process")
def test_what_is_no_such_value_is_one_clear_line(option, said, tmp_path):
    ended = call(*CALL, "--optimiser", NADAM, *NONE_SEARCHED, *option, "--out", tmp_path)
    assert ended.exit_code == 2, ended.output
    [line] = [line for line in ended.stderr.splitlines() if line.startswith("Error")]
    assert re.search(said, line), line


@pytest.mark.parametrize("value", [(0.5, True), ("0.5",), (), 0.5, {0.5}, (0.5, None), (0.5, 1.5), (float("nan"),)])
def test_a_declared_tuple_takes_numbers_in_its_range_alone(value):
    with pytest.raises(InvalidArgumentError, match="betas"):
        Hyperparameter("betas", (0.9, 0.999), 0.0, 1.0).check(value)


def test_a_tuple_of_integers_takes_integers():
    steps = Hyperparameter("steps", (10, 20), 0, 100)
    assert steps.check([np.int64(3), 4]) == (3, 4)
    with pytest.raises(InvalidArgumentError, match=r"steps must be integers such as 10,20; got \(0.5, 1\)"):
        steps.check((0.5, 1))
    with pytest.raises(InvalidArgumentError, match="betas must be numbers"):
        Hyperparameter("betas", (0.9, 0.999), 0.0, 1.0, grid=(0.9, 0.99))


@pytest.mark.parametrize(
    ("optimiser", "name", "default"),
    [
        ("torch.optim:Adafactor", "eps", r"\(None, 0.001\)"),
        ("torch.optim:LBFGS", "line_search_fn", "None"),
        ("optax:adamw", "mask", "None"),
    ],
)
def test_what_stays_at_its_default_is_said_so_and_not_unknown(optimiser, name, default):
    with pytest.raises(InvalidArgumentError, match=f"{name} of {optimiser} is {default} unless .* cannot be set: only"):
        specs.get(optimiser).resolve({name: (0.1, 0.2)})
    with pytest.raises(InvalidArgumentError, match=f"has no hyperparameter '{name}x'"):
        specs.get(optimiser).resolve({f"{name}x": 1.0})
