"""Options of ``normbench run`` that the fields of a request declare."""

from collections.abc import Callable
from typing import Any

import click

from normbench.cli.choices import Choice
from normbench.running.request import axes


def of_the_request(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that the fields of a request declare; the command gets their values, by field, as first argument."""

    def keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        context.ensure_object(dict)[parameter.name] = value

    command = click.pass_obj(command)
    for axis in reversed([axis for axis in axes() if axis.help]):
        said = not axis.of_task and axis.default is not None
        command = click.option(
            axis.option,
            axis.name,
            type=Choice(axis.choices) if axis.choices else click.IntRange(min=axis.at_least),
            default=axis.default if said else None,
            show_default=said,
            expose_value=False,
            callback=keep,
            help=axis.help,
        )(command)
    return command
