"""Messages call an argument what the caller calls it: an option on a command line, a name in Python."""

import ast
import re
from pathlib import Path

import pytest

import normbench
from normbench.errors import InvalidArgumentError, argument, called_by_options

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
