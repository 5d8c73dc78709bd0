"""The command line: ``normbench run`` and what belongs to it. A help page loads no more than it shows."""

import importlib

import click

from normbench.cli.choices import SuggestingGroup
from normbench.cli.errors import ReportingGroup

# name: module, and the first sentence of its help, so that the overview imports none of them
_COMMANDS = {
    "run": ("run", "Train optimisers and show the leaderboard."),
    "status": ("status", "What of a campaign is done, and how long the rest may take."),
    "fit": ("fit", "Train a certified network on a table of yours."),
    "validate": ("validate", "Compare every optimiser with the reference."),
    "certify": ("certify", "Bound a network's Lipschitz constant and check its witness."),
    "export": ("export", "Write a network as C99 or ONNX, its bound proven."),
    "list": ("listing", "List tasks, optimisers, parametrisations, backends or data."),
    "data": ("data", "Fetch, verify and describe data sets."),
    "reproduce": ("reproduce", "Repeat a published experiment."),
    "leaderboard": ("leaderboard", "Show stored runs again; nothing is computed."),
    "report": ("report", "Write everything stored as one HTML page."),
    "compare": ("compare", "Has NEW got worse than OLD?"),
    "records": ("records", "Export and import records as one file, or merge folders."),
    "history": ("history", "Plot benchmarks over the commits, every detected step marked."),
}


class _LazyGroup(SuggestingGroup, ReportingGroup):
    """A group that imports a command when it is asked for; each module calls its command ``command``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        return importlib.import_module(f"normbench.cli.{_COMMANDS[cmd_name][0]}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in _COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="normbench", prog_name="normbench")
def main() -> None:
    """Benchmark optimisers for layerwise-normalised neural networks, in PyTorch and JAX.

    \b
    Start here:
      normbench run --quick          a first board in seconds
      normbench run                  train everything on simulated flights, then show the board
      normbench list optimisers      what is compared
      normbench fit --help           a network with a proven bound from a table of yours
      normbench run --help           how to choose tasks, optimisers, backends and sizes

    Exit codes: 0 done, 1 a check or a run failed, 2 the call was wrong, 130 interrupted,
    143 and 129 ended by SIGTERM and SIGHUP.
    """
