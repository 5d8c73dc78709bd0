"""``normbench reproduce``: the published experiments again, measured beside published, as tables and figures."""

import click

from normbench.cli.reproduce import agd, asgd, fromage, gan, neural_lander


@click.group("reproduce")
def command() -> None:
    """Repeat a published experiment.

    Measured figures are printed beside the published ones, where there are any; drawings go to the sub-folder
    figures of the results, each as SVG and PDF with its data as CSV.

    \b
    Examples:
      normbench reproduce experiment1 --seeds 4
      normbench reproduce experiment2 --seeds 2 --backend jax
      normbench reproduce fromage-figure1
      normbench reproduce fromage-gan --backend torch
      normbench reproduce neural-lander --seeds 8
    """


for subcommand in (*asgd.COMMANDS, *fromage.COMMANDS, gan.fromage_gan, *agd.COMMANDS, neural_lander.neural_lander):
    command.add_command(subcommand)
