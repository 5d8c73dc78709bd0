"""Options, arguments and groups of commands that take one of some names, and what they say of a name that is none."""

from collections.abc import Callable, Sequence
from typing import Any

import click


class Choice(click.Choice[str]):
    """One of some names; of another one the closest is suggested."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """All choices, and the one that may have been meant."""
        from normbench.specs.base import suggestion

        return super().get_invalid_choice_message(value, ctx) + suggestion(value, dict.fromkeys(self.choices))


class MarkedChoice(Choice):
    """One of the choices, or a text with a mark that none of them has, which the command is to look up."""

    def __init__(self, choices: Sequence[str], mark: str) -> None:
        super().__init__(choices)
        self.mark = mark

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The text."""
        return value if self.mark in value else super().convert(value, param, ctx)


class PluggedIn(Choice):
    """One of some names, or what another package has: the name of an entry point of a group, or ``module:name``."""

    def __init__(self, choices: Sequence[str], find: Callable[[str], object], group: str) -> None:
        super().__init__(choices)
        self._find, self._group = find, group

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The name; what another package has is found, or refused with the reason."""
        if value in self.choices or not isinstance(value, str) or self._find(value) is None:
            return super().convert(value, param, ctx)
        return value

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """All choices, those of installed packages among them, and the one that may have been meant."""
        from normbench.specs.plug_ins import offered

        return Choice([*self.choices, *offered(self._group)]).get_invalid_choice_message(value, ctx)


class SuggestingGroup(click.Group):
    """A group of commands that suggests the closest of them, none of which is imported for that."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first word names."""
        name, known = args[0], self.list_commands(ctx)
        if name not in known and not name.startswith("-") and not ctx.resilient_parsing:
            from normbench.specs.base import suggestion

            ctx.fail(f"No such command {name!r}.{suggestion(name, dict.fromkeys(known))}")
        return super().resolve_command(ctx, args)
