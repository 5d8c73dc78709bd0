"""The options that say what is run, on the command line and in a campaign file, and what they ask for together."""

from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any

import click

from normbench.backends import names as backend_names
from normbench.campaigns.usual import PEERS as ALL_PEERS
from normbench.campaigns.usual import TASK
from normbench.cli import options
from normbench.cli.asked import of_the_request
from normbench.cli.own_tables import GivenTable, own_tables
from normbench.data.dataset import TABLE_MARK
from normbench.problems import plug_ins as tasks_of_others
from normbench.problems.tasks import TASKS
from normbench.specs import PEERS, SPECS, plug_ins

_MOST_LAYERS = 10_000


def _other_task(key: str) -> object:
    """A table that is kept, by its key, or another package's task."""
    return key if TABLE_MARK in key else tasks_of_others.declared(key)


_OPTIONS: tuple[options.Decorator, ...] = (
    options.many_plugged_in(
        "task",
        "What is learned",
        list(TASKS),
        _other_task,
        group=plug_ins.TASKS,
        default=f"{TASK}, or the tables of --data",
        others="another package's, or the key of a table that is kept",
    ),
    own_tables,
    options.many_plugged_in(
        "optimiser",
        "What trains it",
        [*SPECS, ALL_PEERS],
        options.plug_in,
        group=plug_ins.OPTIMISERS,
        default=f"all but the peers: {', '.join(PEERS)}",
        others=f"or {options.ANOTHERS}",
    ),
    options.many_backends("What computes", backend_names()),
    options.seed_range,
    click.option(
        "--lipschitz",
        "bounds",
        type=options.POSITIVE,
        metavar="L",
        multiple=True,
        help="Bound that no iterate exceeds, in output units per unit of a normalised input. Repeat for several.  "
        "[default: none; the scaling of the papers]",
    ),
    click.option(
        "--output-scale",
        "scales",
        type=options.POSITIVE,
        metavar="S",
        multiple=True,
        help="What the unit of the outputs is multiplied by, after the scaling of the papers: a sweep over it shows "
        "what a method reaches at the bounds that it comes to. Repeat for several; not with --lipschitz.  "
        "[default: none]",
    ),
    of_the_request,
    click.option(
        "--layers",
        "layers_text",
        metavar="D0,D1,...",
        help="Network, input or channels first.  [default: the task's own]",
    ),
    click.option("--width", type=click.IntRange(min=1), help="Width of every hidden layer, with --depth."),
    click.option(
        "--depth", type=click.IntRange(min=1, max=_MOST_LAYERS), help="Number of weight matrices, with --width."
    ),
    options.settings("of every optimiser, or of one: adam.beta1=0.8"),
    options.tune,
    click.option(
        "--tuning-budget",
        type=int,
        metavar="N",
        help="Most trial runs that are spent on the values of one optimiser, three for every value.  [default: for "
        "every hyperparameter enough for its grid and four values beyond]",
    ),
    click.option(
        "--grid",
        "grids",
        metavar="NAME=V1,V2,...",
        multiple=True,
        help="Values of a hyperparameter of another package's optimiser that are searched; those of several numbers in "
        "parentheses: 'betas=(0.9,0.99),(0.9,0.999)'.  [default: of its learning rate those of Adam, or what the "
        "package declares]",
    ),
    click.option(
        "--choose-bound",
        is_flag=True,
        help="For several bounds: judge each on a validation part, so that the frontier can show, at every L, the run "
        "at the best bound of at most L. Three more runs a bound for optimisers that nothing is tuned of; the others "
        "have their searches.",
    ),
)


def options_of_runs(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options; the command gets what they ask for as ``wanted``, a :class:`normbench.campaigns.wanted.Wanted`."""

    @wraps(command)
    def with_wanted(
        given: dict[str, Any],
        *,
        tasks: Sequence[str],
        tables: Sequence[GivenTable],
        optimisers: Sequence[str],
        backends: Sequence[str],
        seeds: range,
        bounds: Sequence[float],
        scales: Sequence[float],
        layers_text: str | None,
        width: int | None,
        depth: int | None,
        settings: Sequence[str],
        grids: Sequence[str],
        tune: str,
        tuning_budget: int | None,
        choose_bound: bool,
        **others: Any,
    ) -> Any:
        from normbench.campaigns.wanted import Wanted

        wanted = Wanted(
            tasks=[*tasks, *(table.kept(partial(click.echo, err=True)) for table in tables)],
            optimisers=optimisers,
            backends=backends,
            seeds=seeds,
            lipschitz=bounds,
            output_scale=scales,
            layers=options.parse_layers(layers_text),
            width=width,
            depth=depth,
            tune=tune,
            tuning_budget=tuning_budget,
            choose_bound=choose_bound,
            settings=settings,
            grids=grids,
            axes=given,
        )
        return command(wanted=wanted, **others)

    decorated: Callable[..., Any] = with_wanted
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


@click.command("run", add_help_option=False)
@options_of_runs
def one_call(*, wanted: Any) -> Any:
    """What a command line with these options alone asks for."""
    return wanted
