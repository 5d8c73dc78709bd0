"""Messages call an argument what the caller calls it: an option on a command line, a name in Python."""

import ast
import re
from pathlib import Path

import pytest

import normbench
from normbench.errors import InvalidArgumentError, argument, called_by_options
from normbench.running.request import RunRequest
from normbench.running.run import run
from tests.running.few_digits import few_digits

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
OF_COMMANDS = re.compile(r"\b(dask|normbench|pip) [^.;]*--")  # a command that is to be called, with its own options
ROOT = Path(normbench.__file__).parent
LAST_ROOMS = ("cli", "presentation")  # where words for a terminal are made


def modules():
    for path in sorted(ROOT.rglob("*.py")):
        if path.relative_to(ROOT).parts[0] not in LAST_ROOMS:
            yield path


def raised(source):
    """The text of every message that is raised in a module, what is put into it left out."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Raise) and node.exc is not None:
            words = [each.value for each in ast.walk(node.exc) if isinstance(each, ast.Constant)]
            yield "".join(word for word in words if isinstance(word, str))


def options_in(source):
    return [text for text in raised(source) if OPTION.search(OF_COMMANDS.sub("", text))]


@pytest.mark.quick
def test_no_message_below_the_command_line_spells_an_option():
    found = {path.name: options_in(path.read_text()) for path in modules()}
    assert not {name: texts for name, texts in found.items() if texts}


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ('raise InvalidArgumentError(f"{x} is wrong. Choose fewer --iterations.")', True),
        ('raise InvalidArgumentError(f"--layers {x} does not fit")', True),
        ('raise DataError("Get it: normbench run --data FILE")', False),
        ('raise InvalidArgumentError(f"{argument(name)} is wrong")', False),
    ],
)
def test_the_check_finds_what_it_is_for(source, wrong):
    assert bool(options_in(source)) == wrong


@pytest.mark.quick
def test_an_argument_is_called_as_the_caller_knows_it():
    names = ("batch_size", "hyperparameters", "grids", "random_state")
    assert [argument(name) for name in names] == list(names)
    with called_by_options():
        assert [argument(name) for name in names] == ["--batch-size", "--set", "--grid", "--seed"]
        assert argument("optimiser", "adam") == "--optimiser adam"
    assert argument("optimiser", "adam") == "optimiser='adam'"


@pytest.mark.parametrize(
    "asked",
    [
        {"output_scale": 3.0, "lipschitz": 5.0},
        {"lipschitz": 1e300},
        {"optimiser": "lbfgs", "batch_size": 16},
        {"devices": 2, "backend": "reference", "dtype": "float64"},
        {"devices": 10**6},
        {"schedule": "linear", "optimiser": "method1"},
        {"schedule": "sawtooth"},
        {"dtype": "float16"},
        {"device": "abacus"},
        {"augmentation": "crop_flip"},
        {"augmentation": "crop_flip", "task": "quadrotor-sim", "layers": (12, 4, 3), "batch_size": 8},
        {"iterations": 0},
    ],
    ids=str,
)
def test_a_refused_run_names_what_was_asked_for_as_the_caller_knows_it(asked):
    """A command line was told to leave batch_size out."""
    usual = {"task": "digits", "optimiser": "adam", "backend": "torch", "layers": (64, 4, 10), "seed": 0}
    wanted = RunRequest(**usual | asked)
    with pytest.raises(InvalidArgumentError) as in_python:
        run(wanted.resolved(), few_digits())
    with called_by_options(), pytest.raises(InvalidArgumentError) as on_a_command_line:
        run(wanted.resolved(), few_digits())
    python, options = str(in_python.value), str(on_a_command_line.value)
    assert not OPTION.search(python)
    named = {name for name in asked if name in python} - {"task", "layers", "optimiser", "backend"}
    assert named, python
    for name in named:
        assert f"--{name.replace('_', '-')}" in options
        assert not re.search(rf"(?<!-){name}(?=[=_ ,.])", options), options


def test_python_is_told_of_its_own_arguments(tmp_path):
    """They were told of options that a call in Python does not have."""
    for asked, words in {
        "width": "width needs depth beside it, such as width=25 and depth=4",
        "tuning_budget": "tuning_budget must be at least 3 runs",
        "shard": "shard takes I/N",
        "choose_bound": "choose_bound chooses among several bounds; got no bound. Give several of lipschitz",
        "hyperparameters": "torch.optim:SGD has no hyperparameter 'x'",
    }.items():
        value = {"shard": "3", "choose_bound": True, "hyperparameters": {"x": 1}}.get(asked, 1)
        with pytest.raises(InvalidArgumentError, match=words):
            normbench.run("digits", "torch.optim:SGD", "torch", **{asked: value}, seeds=1, out=tmp_path, progress=False)
