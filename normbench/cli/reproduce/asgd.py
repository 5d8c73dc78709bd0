"""The experiments of arXiv 2312.10672: methods 1 and 2, and method 1 over depth and width."""

import click

from normbench.campaigns.plan import Plan
from normbench.cli.libraries import drawing_libraries
from normbench.cli.output import FIGURES
from normbench.cli.reproduce.setting import Setting, takes_setting
from normbench.errors import BackendUnavailableError
from normbench.papers import experiments
from normbench.papers import reproduce as report
from normbench.presentation.terminal import console
from normbench.records.formats import csv_frame
from normbench.records.schema import Record
from normbench.writing import write_text


def _title(records: list[Record], what: str) -> str:
    first = records[0]
    versus = report.against(first.provenance.simulated)
    return f"{what} on {first.request.task} ({first.request.backend}, {first.outcome.unit}): {versus}"


def _draw(setting: Setting, name: str, records: list[Record]) -> None:
    """The figure; without its libraries the table has to do, and a line says how to get them."""
    try:
        with drawing_libraries():
            from normbench.papers.asgd import figures as figures
    except BackendUnavailableError as error:
        click.echo(f"No figure: {error}", err=True)
        return
    setting.save([{"experiment1": figures.experiment1, "experiment2": figures.experiment2}[name](records)])


@click.command("experiment1")
@takes_setting(seeds=40)
def experiment1(setting: Setting) -> None:
    """Table 1 and figure 1 of arXiv 2312.10672: methods 1 and 2, with 200 and 3000 iterations."""
    records = setting.records(Plan(tuple(setting.requests(experiments.experiment1))))
    cells = report.experiment1_cells(records)
    console().print(report.list_table(cells, title=_title(records, "Experiment 1")))
    table = setting.out / FIGURES / "experiment1-table1.csv"
    frame = csv_frame(report.cells_frame(cells))
    write_text(table, frame.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    click.echo(table)
    _draw(setting, "experiment1", records)


@click.command("experiment2")
@takes_setting(seeds=40)
def experiment2(setting: Setting) -> None:
    """Figure 2 of arXiv 2312.10672: method 1 over widths 15 to 35 and depths 4 to 12."""
    records = setting.records(Plan(tuple(setting.requests(experiments.experiment2))))
    cells = report.experiment2_cells(records)
    for quantity in ("train RMS", "test RMS"):
        table = report.grid_table(cells, quantity=quantity, title=_title(records, "Experiment 2"))
        console().print(table)
    _draw(setting, "experiment2", records)


COMMANDS = (experiment1, experiment2)
