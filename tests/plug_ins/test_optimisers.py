"""Optimisers of other packages: what is read from a signature, what they compute, and what everyone gets of them."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from normbench import specs
from normbench.analysis.leaderboard import boards
from normbench.analysis.selection import strange
from normbench.errors import InvalidArgumentError, PlugInError
from normbench.presentation.commands import command
from normbench.problems import tasks
from normbench.records.build import request_id
from normbench.records.plug_ins import mark
from normbench.records.schema import from_json
from normbench.records.store import Store
from normbench.records.versions import code_version
from normbench.running.request import Asked
from normbench.running.run import run
from normbench.specs import plug_ins
from tests.cli.calls import call

TORCH, OPTAX = "normbench_example.torch_signum:Signum", "normbench_example.optax_signum:signum"
DECLARED = "normbench_example.declared:SIGNUM"
CALL = ["run", "--layers", "12,4,3", "--iterations", 3, "--seeds", 1, "--jobs", 1]


@pytest.fixture(scope="module")
def few():
    return tasks.get("quadrotor-sim").dataset().take(np.arange(200))


def trained(dataset, optimiser, backend, iterations=4, **asked):
    request = Asked(
        task="quadrotor-sim",
        layers=(12, 4, 3),
        optimiser=optimiser,
        backend=backend,
        seed=0,
        iterations=iterations,
        dtype="float64",
        **asked,
    ).resolved()
    return run(request, dataset)


def alike(one, other):
    pairs = zip(one.trajectory.weights, other.trajectory.weights, strict=True)
    return all(np.array_equal(a, b) for a, b in pairs) and np.array_equal(one.trajectory.loss, other.trajectory.loss)


@pytest.mark.usefixtures("example")
def test_hyperparameters_are_those_of_the_signature():
    found = {h.name: (h.default, h.choices, bool(h.grid), h.required) for h in specs.get(TORCH).hyperparameters}
    assert found == {
        "learning_rate": (0.01, (), True, False),
        "momentum": (0.9, (), False, False),
        "nesterov": ("false", specs.SWITCH, False, False),
    }
    spec = specs.get(OPTAX)
    assert (spec.backends, spec.tuned.name, spec.tuned.required) == (("jax",), "learning_rate", True)
    assert specs.get(TORCH).backends == ("torch",)
    assert spec.tuned.grid == specs.get("adam").tuned.grid


def test_numbers_are_of_the_kinds_that_annotations_say(module):
    module("annotated", "def made(decay: float = 0, order: int = 2, *, size: int, name=None, parts=(None, 0.99)): ...")
    found = {h.name: (h.default, h.required) for h in specs.get("annotated:made").hyperparameters}
    assert found == {"decay": (0.0, False), "order": (2, False), "size": (0, True)}
    assert isinstance(specs.get("annotated:made").resolve({"size": 3})["decay"], float)


@pytest.mark.parametrize(
    ("theirs", "backend", "asked"),
    [
        ("torch.optim:Adam", "torch", {}),
        ("torch.optim:Adam", "torch", {"lipschitz": 20.0, "parametrisation": "spectral"}),
        ("torch.optim:Adam", "torch", {"batch_size": 32}),
        ("torch.optim:Adam", "torch", {"schedule": "linear"}),
        ("optax:adam", "jax", {"lipschitz": 20.0, "parametrisation": "spectral", "batch_size": 32}),
    ],
)
def test_a_class_of_a_library_does_what_its_peer_here_does(theirs, backend, asked, few):
    rate = {"hyperparameters": {"learning_rate": 0.02}}
    assert alike(trained(few, theirs, backend, **rate, **asked), trained(few, "adam", backend, **rate, **asked))


@pytest.mark.parametrize(("theirs", "backend"), [("torch.optim:Adam", "torch"), (DECLARED, "jax")])
@pytest.mark.usefixtures("example")
def test_a_schedule_lowers_the_learning_rate(theirs, backend, few):
    found = trained(few, theirs, backend, iterations=20, schedule="linear").trajectory.step_size
    start = specs.get(theirs).tuned.default
    np.testing.assert_allclose(found, start * (np.arange(20)[::-1] + 0.5) / 20)


@pytest.mark.usefixtures("example")
def test_the_two_implementations_of_one_declaration_agree(few):
    at = {"lipschitz": 20.0, "hyperparameters": {"nesterov": "true", "momentum": 0.8}}
    first, second = (trained(few, DECLARED, backend, **at) for backend in ("torch", "jax"))
    np.testing.assert_allclose(first.trajectory.loss, second.trajectory.loss, rtol=1e-9)
    assert first.outcome.certified_by
    assert first.outcome.proven_bound <= 20.0


@pytest.mark.parametrize(("theirs", "backend"), [("torch.optim:LBFGS", "torch"), ("optax:lbfgs", "jax")])
def test_evaluations_of_a_line_search_are_counted(theirs, backend, few):
    values = {"hyperparameters": {"max_iter": 3}} if backend == "torch" else {}
    found = trained(few, theirs, backend, iterations=3, **values)
    counted = np.diff(found.trajectory.gradient_evaluations)
    assert (counted >= 2).all()
    assert found.trajectory.loss[-1] < 0.9 * found.trajectory.loss[0]


def test_a_rule_that_looks_at_its_learning_rate_is_run_without_tracing_it(module, few):
    module(
        "looking",
        "import optax\ndef made(learning_rate=0.1):\n    assert learning_rate > 0\n    return optax.sgd(learning_rate)",
    )
    at = {"iterations": 2, "schedule": "linear"}
    found = trained(few, "looking:made", "jax", **at)
    assert alike(found, trained(few, "sgd", "jax", hyperparameters={"learning_rate": 0.1}, **at))


def test_without_a_learning_rate_the_step_size_is_the_length_of_the_step(module, few):
    module(
        "fixed",
        "import torch\nclass Fixed(torch.optim.SGD):\n"
        "    def __init__(self, params):\n        super().__init__(params, 0.1)",
    )
    found = trained(few, "fixed:Fixed", "torch", iterations=1)
    before = trained(few, "sgd", "torch", iterations=1, hyperparameters={"learning_rate": 0.1})
    assert alike(found, before)
    assert 0 < found.trajectory.step_size[0] != before.trajectory.step_size[0]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("no_such_package.part:X", r"No module named 'no_such_package'.*Install the package"),
        ("broken_inside:X", r"RuntimeError: it is broken.*Repair the package"),
        ("torch.optim:Adm", "torch.optim has no 'Adm'. Did you mean 'Adam'"),
        ("json:JSONDecoder", "class 'JSONDecoder', and must be a subclass of torch.optim.Optimizer"),
        ("math:pi", "of type float"),
        ("no_such_name", "no optimiser 'no_such_name'"),
    ],
)
def test_what_cannot_be_found_is_one_clear_line(key, said, module):
    module("broken_inside", "raise RuntimeError('it is\\nbroken')")
    with pytest.raises(InvalidArgumentError, match=said) as caught:
        specs.get(key)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--optimiser", TORCH, "--backend", "jax"], "not implemented on backend 'jax'; choose torch"),
        (
            ["--optimiser", OPTAX, "--backend", "jax"],
            "learning_rate of .* has no default. Give it a value by --set, such as",
        ),
        (
            ["--optimiser", TORCH, "--set", "speed=1"],
            "has no hyperparameter 'speed'. It takes: learning_rate, momentum",
        ),
        (["--optimiser", TORCH, "--set", "momentum=fast"], "momentum must be a number; got 'fast'"),
        (["--optimiser", TORCH, "--set", "nesterov=maybe"], "nesterov must be one of false, true"),
        (["--optimiser", TORCH, "--set", "momentum"], "--set takes NAME=VALUE; got 'momentum'"),
        (["--optimiser", TORCH, "--grid", "lr=0,1"], "takes positive numbers"),
        (["--optimiser", "adam", "--grid", "lr=0.1,1"], "that of learning_rate of adam is declared. Leave it out"),
        (
            ["--optimiser", "adam", "--optimiser", TORCH, "--grid", "lr=0.1,1"],
            rf"learning_rate of adam is declared. Name the one that it is for: {TORCH}\.learning_rate=0\.1,1\.$",
        ),
        *(
            (
                ["--optimiser", "method1", "--optimiser", TORCH, option, f"lr={value}"],
                rf"{option} lr={value} is for all optimisers that are asked for, and method1 has no hyperparameter "
                rf"'learning_rate'\. Name the one that it is for: {TORCH}\.learning_rate={value}\.$",
            )
            for option, value in (("--set", "1"), ("--grid", "1,10"))
        ),
        (
            ["--optimiser", "json:dumps", "--backend", "jax", "--set", "obj=1"],
            "returns an optax.GradientTransformation",
        ),
        (["--optimiser", "picky:Picky", "--backend", "torch"], "cannot be made with lr=0.5: ValueError: too fast"),
        (["--optimiser", "nope:X"], "No module named 'nope'"),
    ],
)
@pytest.mark.usefixtures("example", "in_this_process")
def test_a_wrong_call_is_refused_in_one_line_before_anything_runs(arguments, said, module, tmp_path):
    module(
        "picky",
        "import torch\nclass Picky(torch.optim.SGD):\n    def __init__(self, params, lr=0.5):\n"
        "        raise ValueError('too fast')",
    )
    ended = call(*CALL, *arguments, "--out", tmp_path / "out")
    assert ended.exit_code == 2, ended.output
    [line] = [line for line in ended.stderr.splitlines() if line.startswith("Error")]
    assert re.search(said, line), line
    assert not list((tmp_path / "out").rglob("*.json"))


@pytest.mark.usefixtures("in_this_process")
def test_a_run_is_searched_stored_shown_and_made_again(module, tmp_path):
    """The board, the record, its command, and a changed source."""
    source = (
        "import torch\nclass Mine(torch.optim.SGD):\n"
        "    def __init__(self, params, lr=0.1, momentum=0.0, wild=False):\n"
        "        super().__init__(params, lr, momentum)\n"
    )
    file = module("mine", source)
    more = ["--optimiser", "mine:Mine", "--optimiser", "adam", "--backend", "torch", "--tuning-budget", 6]
    chosen = ["--set", "mine:Mine.wild=true", "--set", "mine:Mine.lr=0.3", "--grid", "mine:Mine.lr=0.1,1,10"]
    ended = call(*CALL, *more, *chosen, "--out", tmp_path)
    assert ended.exit_code == 0, ended.output
    assert "given 0.3, wild true" in " ".join(ended.stdout.split())
    records, problems = Store.within(tmp_path).load_all()
    assert not problems
    [board] = boards(records)
    rows = [row for row in board.optimisers if row.optimiser == "mine:Mine"]
    said = {command(row, board) for row in rows}
    assert len(rows) == 2
    assert all("--set wild=true --grid learning_rate=0.1,1,10" in words for words in said), said
    assert any("--set learning_rate=0.3 " in words for words in said)
    plug_in = rows[0].records[0].provenance.plug_in
    assert (plug_in["package"], plug_in["version"], plug_in["grids"]) == ("mine", "unknown", "learning_rate")
    # without the package the records are read and shown as they are, and nothing is imported
    file.unlink()
    plug_ins._known.clear()
    assert from_json(rows[0].records[0].to_json(), source="x").spec.tuned.grid == (0.1, 1.0, 10.0)
    shown = call("leaderboard", "--out", tmp_path)
    assert (shown.exit_code, shown.stdout.count("mine:Mine")) == (0, 2), shown.output
    assert "mine:Mine" not in plug_ins._known
    # the same command again makes nothing; a changed source makes everything anew, and of nobody else
    file.write_text(source)
    before = {record.record_id for record in records}
    call(*CALL, *more, *chosen, "--out", tmp_path)
    assert {r.record_id for r in Store.within(tmp_path).load_all()[0]} == before
    file.write_text(source + "# changed\n")
    mark.cache_clear()
    request = rows[0].records[0].request
    assert request_id(request, rows[0].records[0].provenance.data_sha256) not in before
    assert request_id(replace(request, optimiser="adam"), "0") == request_id(replace(request, optimiser="adam"), "0")
    assert all(r.provenance.code_version == code_version("torch") for r in records if r.request.optimiser == "adam")


def test_a_record_that_declares_nonsense_is_left_out(record):
    for said in ({}, {"declaration": "[]"}, {"declaration": json.dumps({"hyperparameters": 3})}):
        odd = replace(
            record,
            request=replace(record.request, optimiser="os:system"),
            provenance=replace(record.provenance, plug_in=said),
        )
        assert strange(odd) == "the optimiser 'os:system'"
        assert "os:system" not in plug_ins._known


def test_a_plug_in_without_a_factory_is_refused():
    with pytest.raises(InvalidArgumentError, match="has no factory"):
        specs.PlugIn(title="Nothing", factories={})
    with pytest.raises(InvalidArgumentError, match="worker processes cannot import"):
        specs.PlugIn(title="Local", factories={"jax": lambda: None})
    assert issubclass(PlugInError, InvalidArgumentError)
