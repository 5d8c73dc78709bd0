"""Where the runs of a command are made: the options that say so, which several commands share."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from normbench.campaigns.engine.workers import Workers, memory
from normbench.cli import options
from normbench.errors import InvalidArgumentError


class Bytes(click.ParamType[int]):
    """A number of bytes as dask writes it, such as 4GiB."""

    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number."""
        try:
            return memory(value)
        except InvalidArgumentError as error:
            raise click.BadParameter(str(error), ctx, param) from error


_OPTIONS = (
    options.jobs,
    click.option(
        "--scheduler",
        metavar="ADDRESS|FILE",
        help="Make the runs on the workers of this dask scheduler, tcp://HOST:PORT or its scheduler.json; they need no "
        "folder in common with this machine. See docs/clusters.md.  [default: processes of this machine]",
    ),
    click.option(
        "--cluster",
        type=options.UserPath(exists=True, dir_okay=False),
        metavar="FILE",
        help="Make a dask cluster as this YAML file says (SLURM, PBS, LSF, Kubernetes, ...), use it, and end it.",
    ),
    click.option(
        "--time-limit",
        type=options.POSITIVE,
        metavar="S",
        help="Seconds after which a run is stopped and recorded as failed.  [default: none]",
    ),
    click.option(
        "--memory-limit",
        type=Bytes(),
        metavar="BYTES",
        help="Memory, such as 4GiB, after which a process of this machine is ended; its run is tried once more and "
        "then recorded as failed.  [default: none]",
    ),
    click.option(
        "--runs-per-gpu",
        type=click.IntRange(min=1),
        default=1,
        show_default=True,
        help="Runs at the same time on each GPU of this machine, with --device cuda.",
    ),
    click.option("--dashboard", is_flag=True, help="Show what runs on a page of dask; needs pip install bokeh."),
)


def given_workers(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options; the command gets a :class:`normbench.campaigns.engine.workers.Workers` as ``workers``."""

    @wraps(command)
    def gathered(
        *args: Any,
        jobs: int | None,
        scheduler: str | None,
        cluster: Path | None,
        time_limit: float | None,
        memory_limit: int | None,
        runs_per_gpu: int,
        dashboard: bool,
        **others: Any,
    ) -> Any:
        chosen = Workers(
            jobs=jobs,
            scheduler=scheduler,
            cluster=cluster,
            seconds=time_limit,
            memory=memory_limit,
            runs_per_gpu=runs_per_gpu,
            dashboard=dashboard,
        )
        return command(*args, workers=chosen, **others)

    found: Callable[..., Any] = gathered
    for option in reversed(_OPTIONS):
        found = option(found)
    return found
