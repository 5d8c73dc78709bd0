"""From exceptions to one line on standard error and an exit code."""

from typing import Any

import click

from normbench.errors import BackendUnavailableError, InvalidArgumentError, NormbenchError

CHECK_FAILED, WRONG_CALL, INTERRUPTED = 1, 2, 130


class ReportedError(click.ClickException):
    """A mistake or misfortune that the user can understand without a traceback."""

    def __init__(self, error: NormbenchError) -> None:
        super().__init__(str(error))
        wrong_call = isinstance(error, (InvalidArgumentError, BackendUnavailableError))
        self.exit_code = WRONG_CALL if wrong_call else CHECK_FAILED


class ReportingGroup(click.Group):
    """A group whose commands may raise any :class:`NormbenchError` or be interrupted."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; every error that normbench raises on purpose becomes a message."""
        try:
            return super().invoke(ctx)
        except NormbenchError as error:
            raise ReportedError(error) from error
        except KeyboardInterrupt:
            click.echo("Interrupted. What was finished is stored; the same command goes on from there.", err=True)
            ctx.exit(INTERRUPTED)
