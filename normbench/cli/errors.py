"""From exceptions to one line on standard error and an exit code."""

import errno
import signal
from contextlib import suppress
from typing import Any

import click

from normbench.cli.signals import ending_as_interrupts, number_of
from normbench.cli.streams import safe_streams
from normbench.errors import (
    BackendUnavailableError,
    InvalidArgumentError,
    NormbenchError,
    OutputError,
    called_by_options,
)

CHECK_FAILED, WRONG_CALL = 1, 2
_SIGNALS = 128  # added to the number of the signal that has ended a command, as shells do


class ReportedError(click.ClickException):
    """A mistake or misfortune that the user can understand without a traceback."""

    def __init__(self, error: NormbenchError) -> None:
        super().__init__(str(error))
        wrong_call = isinstance(error, (InvalidArgumentError, BackendUnavailableError))
        self.exit_code = WRONG_CALL if wrong_call else CHECK_FAILED


class ReportingGroup(click.Group):
    """A group whose commands may raise any :class:`NormbenchError` or OSError, or be interrupted."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the command on streams that take any text."""
        with safe_streams():
            return super().main(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; every error that normbench raises on purpose, or the system, becomes a message."""
        try:
            with called_by_options(), ending_as_interrupts():
                return super().invoke(ctx)
        except NormbenchError as error:
            raise ReportedError(error) from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader of the output has gone: click ends quietly
                raise
            raise ReportedError(OutputError(_in_words(error))) from error
        except MemoryError as error:
            raise ReportedError(OutputError("out of memory.")) from error
        except KeyboardInterrupt as interrupt:
            number = number_of(interrupt)
            how = "Interrupted" if number == signal.SIGINT else f"Ended by {signal.Signals(number).name}"
            with suppress(OSError):  # the terminal may have gone
                click.echo(f"{how}. {self._left_by(ctx)}", err=True)
            ctx.exit(_SIGNALS + number)

    def _left_by(self, ctx: click.Context) -> str:
        """What a command has left where it was interrupted: only those that make runs keep what is finished."""
        command = self.get_command(ctx, ctx.invoked_subcommand or "")
        options = {option.name for option in command.params} if command else set()
        if {"jobs", "out"} <= options:
            return "What was finished is stored; the same command goes on from there."
        return "Files are written whole or not at all: none is half finished."


def _in_words(error: OSError) -> str:
    """Path and cause, in one line."""
    cause = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {cause}." if error.filename else f"the output cannot be written: {cause}."
