"""The command line: ``normbench run`` and what belongs to it. Neither torch nor JAX is loaded for a help page."""

import importlib

import click

import normbench
from normbench.cli.errors import ReportingGroup

_COMMANDS = {
    "run": "normbench.cli.run",
    "validate": "normbench.cli.validate",
    "list": "normbench.cli.listing",
    "data": "normbench.cli.data",
    "reproduce": "normbench.cli.reproduce",
    "leaderboard": "normbench.cli.leaderboard",
    "report": "normbench.cli.report",
    "compare": "normbench.cli.compare",
    "records": "normbench.cli.records",
    "history": "normbench.cli.history",
}


class _LazyGroup(ReportingGroup):
    """A group that imports a command when it is asked for; each module calls its command ``command``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        return importlib.import_module(_COMMANDS[cmd_name]).command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(normbench.__version__, prog_name="normbench")
def main() -> None:
    """Benchmark optimisers for layerwise-normalised neural networks, in PyTorch and JAX.

    \b
    Start here:
      normbench run                  train everything on simulated flight data, then show the leaderboard
      normbench list optimisers      what is compared
      normbench run --help           how to choose tasks, optimisers, backends and sizes

    Exit codes: 0 done, 1 a check failed, 2 the call was wrong, 130 interrupted.
    """
