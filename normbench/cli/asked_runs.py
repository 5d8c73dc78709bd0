"""What a command is about: the runs that its options ask for, or a campaign file, and of these the whole or a part."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from normbench.campaigns.usual import WHOLE
from normbench.cli import options
from normbench.cli.run_options import one_call, options_of_runs
from normbench.errors import InvalidArgumentError

if TYPE_CHECKING:
    from normbench.campaigns.parts import Part
    from normbench.campaigns.plan import Plan
    from normbench.campaigns.samples import Samples

_FILE = "campaign"


@dataclass(frozen=True)
class AskedRuns:
    """What is asked for: every part, and which share of the whole."""

    parts: "list[Part]"
    shard: str

    def plan(self, samples: "Samples") -> "Plan":
        """One plan of it all; who is left out is said on standard error.

        Raises
        ------
        InvalidArgumentError, BackendUnavailableError, DataError, DownloadError
            See :func:`normbench.campaigns.parts.plan_of_parts`.
        """
        from normbench.campaigns.parts import plan_of_parts

        return plan_of_parts(self.parts, samples, partial(click.echo, err=True), shard=self.shard)


def asked_runs(command: Callable[..., Any]) -> Callable[..., Any]:
    """``[CAMPAIGN.toml]``, the options that say what is run, and ``--shard``: to the command an :class:`AskedRuns`."""

    def with_parts(*, wanted: Any, campaign: Path | None, shard: str, **others: Any) -> Any:
        from normbench.campaigns.parts import Part

        return command(AskedRuns([Part(wanted)] if campaign is None else _read(campaign), shard), **others)

    shard_option = click.option(
        "--shard",
        metavar="I/N",
        default=WHOLE,
        help="Make part I of N, counted from 1, of what the rest of the command asks for: a part a machine, then "
        "normbench records merge.",
    )
    with_options = options_of_runs(shard_option(wraps(command)(with_parts)))

    @wraps(with_options)
    def checked(*given: Any, campaign: Path | None, **others: Any) -> Any:
        if campaign is not None:
            _refuse_beside(campaign)
        return with_options(*given, campaign=campaign, **others)

    file = options.UserPath(exists=True, dir_okay=False)
    return click.argument(_FILE, type=file, required=False, metavar="[CAMPAIGN.toml]")(checked)


def _refuse_beside(campaign: Path) -> None:
    """Raise where options say what is run, too."""
    context = click.get_current_context()
    given = [
        option.opts[0]
        for option in one_call.params
        if option.name and context.get_parameter_source(option.name) not in (None, ParameterSource.DEFAULT)
    ]
    if given:
        raise InvalidArgumentError(
            f"{', '.join(given)} beside {campaign}: the file says what is run. Write that into it, below [defaults] "
            "for all of its runs, or leave the file out."
        )


def _read(campaign: Path) -> "list[Part]":
    from normbench.cli.campaign_file import parts_of

    context = click.get_current_context()
    own = {option.name for option in one_call.params} | {_FILE}
    whole = [option for option in context.command.params if option.name not in own]
    names = {option.opts[0].removeprefix("--"): _usage(context, campaign, option) for option in whole}
    return parts_of(campaign, names)


def _usage(context: click.Context, campaign: Path, option: click.Parameter) -> str:
    value = "" if getattr(option, "is_flag", False) else f" {option.make_metavar(context)}"
    return f"{context.command_path} {campaign} {option.opts[0]}{value}"
