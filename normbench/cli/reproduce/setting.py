"""What the experiments have in common: their options, the runs made with them, and the figures written at the end."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from normbench.backends.trajectory import Status
from normbench.campaigns.campaign import Campaign
from normbench.campaigns.plan import Plan
from normbench.campaigns.pool import results_of
from normbench.cli import options
from normbench.cli.errors import CHECK_FAILED
from normbench.cli.output import FIGURES, print_failures, print_remark
from normbench.cli.progress import campaign_progress
from normbench.machine import threads_per_run
from normbench.problems import tasks
from normbench.published import QUADROTOR_TASKS
from normbench.records.schema import Record
from normbench.records.store import RECORDS, Store
from normbench.running.request import RunRequest
from normbench.specs import BACKENDS
from normbench.writing import probe_folder

if TYPE_CHECKING:
    from normbench.presentation.charts.sheet import Origin, Picture

TASK = click.option(
    "--task",
    type=click.Choice(QUADROTOR_TASKS),
    default="quadrotor-sim",
    show_default=True,
    help="quadrotor-sim is simulated; quadrotor is the papers' table.",
)
_BACKEND = click.option(
    "--backend", type=click.Choice(BACKENDS), help="What computes.  [default: torch if installed, else jax]"
)

Experiment = Callable[[str, str, Sequence[int]], list[RunRequest]]


@dataclass(frozen=True)
class Setting:
    """The options of one call.

    Attributes
    ----------
    task, backend : str
    seeds : int
    data_dir : Path or None
    jobs : int
    out : Path
    failed : list of Record
        Runs without a result, as far as they have been made.
    """

    task: str
    backend: str
    seeds: int
    data_dir: Path | None
    jobs: int
    out: Path
    failed: list[Record] = field(default_factory=list)

    def requests(self, experiment: Experiment) -> list[RunRequest]:
        """The experiment's runs."""
        return experiment(self.task, self.backend, range(self.seeds))

    def records(self, plan: Plan) -> list[Record]:
        """Records of every run of the plan; what is stored is not made again."""
        probe_folder(self.out / FIGURES)
        with campaign_progress() as on_progress:
            campaign = Campaign(Store(self.out / RECORDS), self.data_dir, self.jobs, on_progress, print_remark)
            records = campaign.run(plan)
        self.failed.extend(record for record in records if record.status == Status.FAILED)
        return records

    def rows(self, jobs: Sequence[Any]) -> list[dict[str, Any]]:
        """What jobs that look into a training have seen, all together; nothing of it is stored."""
        probe_folder(self.out / FIGURES)
        tasks.get(self.task).dataset(self.data_dir)  # generated or downloaded once, before the workers read it
        finished = iter(range(1, len(jobs) + 1))
        results = results_of(
            jobs,
            size=self.jobs,
            threads=threads_per_run(),
            on_done=lambda job: click.echo(f"{next(finished)} of {len(jobs)} done", err=True),
        )
        return [row for result in results for row in result]

    def origin(self, backend: str, dtype: str) -> "Origin":
        """Where numbers come from that no record holds."""
        from normbench.presentation.charts.sheet import Origin

        data = tasks.get(self.task).dataset(self.data_dir)
        return Origin(self.task, data.unit, backend, dtype, data.simulated, self.seeds)

    def save(self, pictures: Iterable["Picture"]) -> None:
        """Write figures and their data, and say where."""
        for picture in pictures:
            for path in picture.save(self.out / FIGURES):
                click.echo(path)


def takes_setting(*, seeds: int) -> Callable[[Callable[[Setting], None]], Callable[..., None]]:
    """The shared options, ``seeds`` being the default of one of them, handed over as one :class:`Setting`."""

    def decorate(function: Callable[[Setting], None]) -> Callable[..., None]:
        @wraps(function)
        def command(
            *, task: str, seeds: int, backend: str | None, data_dir: Path | None, jobs: int | None, out: Path
        ) -> None:
            chosen = options.choose_backends([backend] if backend else [])[0]
            setting = Setting(task, chosen, seeds, data_dir, options.job_count(jobs), out)
            function(setting)
            if print_failures(setting.failed):
                raise click.exceptions.Exit(CHECK_FAILED)

        found: Callable[..., None] = command
        for option in (options.out, options.jobs, options.data_dir, _BACKEND, options.seeds(seeds), TASK):
            found = option(found)
        return found

    return decorate
