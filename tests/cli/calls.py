"""A command that ends soon, called here or in a process of its own."""

import sys

from click.testing import CliRunner

from normbench.cli import main

TINY = ["--layers", "12,4,3", "--iterations", "2", "--backend", "reference", "--jobs", "1", "--seeds", "1"]
RUN = ["run", *TINY, "--optimiser", "agd"]
COMMAND = [sys.executable, "-m", "normbench.cli"]


def call(*arguments, **environment):
    return CliRunner(env={"COLUMNS": "120"} | environment).invoke(main, [str(a) for a in arguments])
