"""Options that say which columns of a user's table play which part."""

import csv
from collections.abc import Callable, Sequence
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Names(click.ParamType):
    """Names of columns, separated by commas; one that holds a comma in quotes."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """The names."""
        if not isinstance(value, str):
            return tuple(value)
        return tuple(name.strip() for name in next(csv.reader([value], skipinitialspace=True), []))


def columns(*, several: bool) -> Decorator:
    """``--inputs``, ``--outputs``, ``--group``, ...; to be repeated where there can be several tables."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(_options(several)):
            command = option(command)
        return command

    return decorate


def _options(several: bool) -> Sequence[Decorator]:
    what = {"multiple": True} if several else {}
    needed = {} if several else {"required": True}
    return (
        click.option(
            "--inputs",
            type=Names(),
            metavar="A,B,...",
            help="Columns that the network sees. Of a column v of lists, v stands for all and v_0 for the first.",
            **what,
            **needed,
        ),
        click.option(
            "--outputs",
            type=Names(),
            metavar="C,D,...",
            help="Columns that it gives. One that is text is taken for classes.",
            **what,
            **needed,
        ),
        click.option(
            "--group",
            metavar="NAME",
            help="Column of the flight, subject or batch of a row; whole ones are held out. file: the file.",
            **what,
        ),
        click.option(
            "--time", metavar="NAME", help="Column of seconds, or dates; whole blocks of 5 s are held out.", **what
        ),
        click.option("--unit", metavar="TEXT", help="Unit of the outputs, such as N, for words.", **what),
        click.option("--classes", is_flag=True, help="The output is a class, though it is a number."),
    )
