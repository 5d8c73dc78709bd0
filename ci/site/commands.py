"""The page of the command line, from the commands themselves: what ``--help`` prints, with an anchor for each."""

import inspect
from collections.abc import Iterator

import click

from normbench.cli import main
from normbench.records.formats import markdown_text

PATH = "docs/reference/commands.md"


def pages() -> dict[str, str]:
    """Path in the repository and Markdown text of the page."""
    lines = [
        "# Every command and option",
        "",
        "What every command prints for `--help`; [how they are used](../commands.md).",
        "",
    ]
    for context in contexts(main, None):
        lines += _section(context)
    return {PATH: "\n".join(lines)}


def contexts(command: click.Command, above: click.Context | None) -> Iterator[click.Context]:
    """The context of a command, and those of all that are below it."""
    name = command.name if above else "normbench"
    context = command.make_context(name, [], parent=above, resilient_parsing=True)
    yield context
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            if found is not None and not found.hidden:
                yield from contexts(found, context)


def _section(context: click.Context) -> Iterator[str]:
    path = context.command_path
    yield from (f"## {path}", "")
    usage = " ".join([path, *context.command.collect_usage_pieces(context)])
    yield from ("```text", usage, "```", "")
    yield from _prose(context.command.help or "")
    records = [r for p in context.command.get_params(context) if (r := p.get_help_record(context)) is not None]
    for names, about in records:
        if about:  # of an argument the usage says enough
            yield from (f"`{names}`", f": {_escaped(about)}", "")


def _prose(text: str) -> Iterator[str]:
    """Paragraphs; those that click shall not wrap stay as they are."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b\n"):
            yield from ("```text", *paragraph.splitlines()[1:], "```", "")
        elif paragraph:
            yield from (_escaped(paragraph), "")


def _escaped(text: str) -> str:
    return markdown_text(" ".join(text.split()))
