"""Every option and argument that takes one of some names suggests the one that may have been meant."""

import re
import subprocess
import sys

import click
import pytest

from normbench.cli import main
from normbench.cli.choices import Choice

pytestmark = pytest.mark.quick


def choosing(command, path=""):
    """Where a name is chosen, and what chooses it."""
    for parameter in command.params:
        if isinstance(parameter.type, click.Choice):
            yield pytest.param(parameter.type, id=f"{path} {parameter.name}")
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            yield from choosing(command.get_command(click.Context(command), name), f"{path} {name}".strip())


def groups(command):
    if isinstance(command, click.Group):
        yield pytest.param(command, id=str(command.name))
        for name in command.list_commands(click.Context(command)):
            yield from groups(command.get_command(click.Context(command), name))


@pytest.mark.parametrize("kind", list(choosing(main)))
def test_a_mistyped_name_is_answered_with_the_closest(kind):
    assert isinstance(kind, Choice)
    name = max(kind.choices, key=len)
    with pytest.raises(click.BadParameter, match=rf"'x{name}' is not .* Did you mean '{name}'\?$"):
        kind.convert(f"x{name}", None, None)


def test_what_is_like_none_of_them_is_answered_with_all():
    with pytest.raises(click.BadParameter, match=r"^'zzz' is not one of 'one', 'two'\.$"):
        Choice(["one", "two"]).convert("zzz", None, None)


@pytest.mark.parametrize("group", list(groups(main)))
def test_a_mistyped_command_is_answered_with_the_closest(group):
    name = max(group.list_commands(click.Context(group)), key=len)
    with pytest.raises(click.UsageError) as found:
        group.resolve_command(click.Context(group), [f"x{name}"])
    assert re.search(rf"No such command 'x{name}'\. Did you mean '{name}'\?$", found.value.format_message())


def test_python_runs_the_package_as_the_command():
    ended = subprocess.run([sys.executable, "-m", "normbench", "rum"], capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr.startswith("Usage: python -m normbench ")
    assert ended.stderr.endswith("No such command 'rum'. Did you mean 'run'?\n")
