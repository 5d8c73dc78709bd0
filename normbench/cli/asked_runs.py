"""What a command is about: the runs that its options ask for, or a campaign file, and of these the whole or a part."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from normbench.campaigns.usual import WHOLE
from normbench.cli import options, quick
from normbench.cli.run_options import one_call, options_of_runs
from normbench.errors import InvalidArgumentError

if TYPE_CHECKING:
    from normbench.campaigns.parts import Part
    from normbench.campaigns.plan import Plan
    from normbench.campaigns.samples import Samples

_FILE, _QUICK = "campaign", "quick"


@dataclass(frozen=True)
class AskedRuns:
    """What is asked for: every part, which share of the whole, and what is to be said of a board of it."""

    parts: "list[Part]"
    shard: str
    note: str = ""

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
    """``[CAMPAIGN.toml]``, the options that say what is run, ``--quick``, ``--shard``: for the command `AskedRuns`."""

    def with_parts(*, wanted: Any, campaign: Path | None, quick_: bool, shard: str, **others: Any) -> Any:
        from normbench.campaigns.parts import Part

        if quick_:
            wanted, others = quick.quick_runs(), quick.apart(quick.in_one_process(others))
            return command(AskedRuns([Part(wanted)], shard, quick.note(wanted, others.get("out", quick.OUT))), **others)
        return command(AskedRuns([Part(wanted)] if campaign is None else _read(campaign), shard), **others)

    shard_option = click.option(
        "--shard",
        metavar="I/N",
        default=WHOLE,
        help="Make part I of N, counted from 1, of what the rest of the command asks for: a part a machine, then "
        "normbench records merge.",
    )
    quick_option = click.option(
        f"--{_QUICK}",
        "quick_",
        is_flag=True,
        help="A first board in seconds: a few optimisers on digits at a bound, few seeds and iterations, no searches. "
        "Stands in the place of all options that say what is run. Into normbench-quick, unless --out says otherwise.",
    )
    with_options = options_of_runs(quick_option(shard_option(wraps(command)(with_parts))))

    @wraps(with_options)
    def checked(*given: Any, campaign: Path | None, quick_: bool, **others: Any) -> Any:
        if quick_:
            also = [] if campaign is None else [str(campaign)]
            _refuse_beside(f"--{_QUICK}", also, "it says what is run. Leave it out, or the rest.")
        if campaign is not None:
            remedy = "Write that into it, below [defaults] for all of its runs, or leave the file out."
            _refuse_beside(str(campaign), [], f"the file says what is run. {remedy}")
        return with_options(*given, campaign=campaign, quick_=quick_, **others)

    file = options.UserPath(exists=True, dir_okay=False)
    return click.argument(_FILE, type=file, required=False, metavar="[CAMPAIGN.toml]")(checked)


def _refuse_beside(what: str, also: list[str], reason: str) -> None:
    """Raise where options say what is run, too, or something else does."""
    context = click.get_current_context()
    given = also + [
        option.opts[0]
        for option in one_call.params
        if option.name and context.get_parameter_source(option.name) not in (None, ParameterSource.DEFAULT)
    ]
    if given:
        raise InvalidArgumentError(f"{', '.join(given)} beside {what}: {reason}")


def _read(campaign: Path) -> "list[Part]":
    from normbench.cli.campaign_file import parts_of

    context = click.get_current_context()
    own = {option.name for option in one_call.params} | {_FILE, f"{_QUICK}_"}
    whole = [option for option in context.command.params if option.name not in own]
    names = {option.opts[0].removeprefix("--"): _usage(context, campaign, option) for option in whole}
    return parts_of(campaign, names)


def _usage(context: click.Context, campaign: Path, option: click.Parameter) -> str:
    value = "" if getattr(option, "is_flag", False) else f" {option.make_metavar(context)}"
    return f"{context.command_path} {campaign} {option.opts[0]}{value}"
