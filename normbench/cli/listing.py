"""``normbench list``: what the benchmark knows."""

import json
from collections.abc import Callable, Collection, Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import click

from normbench.cli import options
from normbench.cli.choices import Choice
from normbench.errors import InvalidArgumentError

Rows = list[dict[str, Any]]


def _tasks() -> Rows:
    from normbench.data import info, kept_tables
    from normbench.networks.families import layers_text
    from normbench.problems.tasks import TASKS, OfAnotherPackage, get
    from normbench.specs.plug_ins import TASKS as OTHERS

    others = _offered(OTHERS, TASKS, get)
    return [
        {
            "task": task.key,
            "title": task.title,
            "simulated": None if isinstance(task, OfAnotherPackage) else info(task.source).simulated,
            "hidden": layers_text(task.hidden),
        }
        for task in (*TASKS.values(), *(get(table.key) for table in kept_tables.every()), *others)
    ]


def _offered(group: str, ours: Collection[str], get: Callable[[str], Any]) -> list[Any]:
    """What installed packages offer beside ours; what is wrong with one is said, and keeps the others from nothing."""
    from normbench.specs.plug_ins import offered

    found = []
    for name in offered(group):
        try:
            found += [] if name in ours else [get(name)]
        except InvalidArgumentError as error:
            click.echo(f"Left out: {error}", err=True)
    for said in _unreachable(group, ours):
        click.echo(f"Left out: {said}", err=True)
    return found


def _unreachable(group: str, ours: Collection[str]) -> Iterator[str]:
    """What packages offer under names that are taken, by us or by another package, and which nobody can call."""
    from normbench.specs.plug_ins import offered

    taken = offered(group)
    for point in sorted(entry_points(group=group), key=lambda point: (point.name, point.value)):
        if point.name in ours:
            yield f"{point.name!r} of {_package(point)}: that name is one of normbench's. Have the package rename it."
        elif point != taken[point.name]:
            yield (
                f"{point.name!r} of {_package(point)}: {_package(taken[point.name])} has that name, too, and is taken. "
                "Uninstall one of them."
            )


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


def _every_optimiser() -> list[Any]:
    """The declarations of ours, and of those that installed packages offer."""
    from normbench.specs import SPECS, get
    from normbench.specs.plug_ins import OPTIMISERS

    return [*SPECS.values(), *_offered(OPTIMISERS, SPECS, get)]


def _optimisers() -> Rows:
    from normbench.backends import names

    return [
        {
            "optimiser": spec.key,
            "title": spec.title,
            "family": str(spec.family),
            "backends": ", ".join(filter(spec.runs_on, names())),
            "paper": spec.paper,
            "equations": spec.equations,
            "iterations": spec.iterations,
            "to tune": ", ".join(h.name for h in spec.searched) or "none",
        }
        for spec in _every_optimiser()
    ]


def _parametrisations() -> Rows:
    from normbench.networks.activations import ACTIVATIONS
    from normbench.specs.parametrisations import PARAMETRISATIONS, through

    known = _every_optimiser()
    return [
        {
            "parametrisation": p.key,
            "title": p.title,
            "source": p.source,
            "keeps a bound": p.bounded,
            "activations": ", ".join(p.activations or ACTIVATIONS),
            "optimisers": ", ".join(spec.key for spec in known if p.key in through(spec)),
        }
        for p in PARAMETRISATIONS.values()
    ]


def _backends() -> Rows:
    from normbench import backends

    return [
        {"backend": name, "usable": not reason, "remark": reason or "ready"}
        for name, reason in backends.available().items()
    ]


def _data() -> Rows:
    from normbench.data import SOURCES, info, kept_tables

    found = [info(name) for name in (*SOURCES, *(table.key for table in kept_tables.every()))]
    return [
        {
            "data": i.name,
            "simulated": i.simulated,
            "samples": i.samples,
            "classes": i.classes,
            "splits": ", ".join(i.splits),
            "here": i.present,
            "description": i.description,
        }
        for i in found
    ]


LISTS: dict[str, Callable[[], Rows]] = {
    "tasks": _tasks,
    "optimisers": _optimisers,
    "parametrisations": _parametrisations,
    "backends": _backends,
    "data": _data,
}


@click.command("list")
@click.argument("what", type=Choice(list(LISTS)))
@options.output_format("table", "json")
def command(*, what: str, format_: str) -> None:
    """List tasks, optimisers, parametrisations, backends or data.

    \b
    Examples:
      normbench list optimisers
      normbench list data --format json
    """
    rows = LISTS[what]()
    if format_ == "json":
        for row in rows:
            click.echo(json.dumps({key.replace(" ", "_"): value for key, value in row.items()}))
    else:
        from normbench.presentation.terminal import console, plain_table

        table = plain_table()
        for header in rows[0]:
            table.add_column(header, overflow="fold")  # names of classes are longer than a narrow column
        for row in rows:
            table.add_row(*map(_text, row.values()))
        console().print(table)


def _text(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else "" if value is None else str(value)
