"""``normbench status``: how far a campaign is; nothing is computed."""

import json
from pathlib import Path

import click

from normbench.cli import options
from normbench.cli.asked_runs import AskedRuns, asked_runs
from normbench.cli.errors import CHECK_FAILED
from normbench.cli.output import print_failures


@click.command("status")
@asked_runs
@options.data_dir
@options.jobs
@options.out
@options.keep_networks
@options.output_format("table", "json")
def command(
    asked: AskedRuns, *, data_dir: Path | None, jobs: int | None, out: Path, keep_networks: bool, format_: str
) -> None:
    """What of a campaign is done, and how long the rest may take.

    Takes what normbench run takes, a campaign file or options, and says what of these runs is done, running, failed or
    missing in --out. Nothing is computed and no record written. The time is that of the runs that are done, by their
    estimated cost, as far as they were made on this machine.

    Exit codes: 0 all is done, 1 a run is missing, running or failed, 2 the call was wrong.

    \b
    Examples:
      normbench status campaign.toml --out results
      normbench status --task neural-fly --lipschitz 10 --seeds 10
      normbench status campaign.toml --format json
    """
    from normbench.campaigns.campaign import Campaign
    from normbench.campaigns.engine.workers import Workers
    from normbench.campaigns.samples import Samples
    from normbench.campaigns.standing import standing
    from normbench.presentation import terminal
    from normbench.presentation.standing import as_dict, remarks, table
    from normbench.records.claims import Claims
    from normbench.records.store import Store

    samples = Samples(data_dir)
    plan, store = asked.plan(samples), Store.of_results(out)
    campaign = Campaign(store, samples, Workers(jobs), keep_networks=keep_networks)
    found = standing(plan, campaign, running=Claims(store).held_by_others())
    if format_ == "json":
        click.echo(json.dumps(as_dict(found), allow_nan=False))
    else:
        terminal.console().print(table(found))
        for remark in remarks(found):
            click.echo(remark)
    print_failures(found.failures, "normbench run")
    if not found.is_complete:
        raise click.exceptions.Exit(CHECK_FAILED)
