"""Groups of commands: one whose commands are loaded when they are asked for, so that none pays for what the others need."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Lazy(NamedTuple):
    """A command that is not loaded yet.

    Args:
        module: Where it is.
        name: What it is called there.
        told: What the list of commands says of it.
    """

    module: str
    name: str
    told: str


class LazyGroup(click.Group):
    """A group as click's documentation has it under "Lazily Loading Subcommands".

    Its help and the completion of a command's name load none of them.

    Args:
        lazy_commands: The commands by name.
    """

    def __init__(self, *args: Any, lazy_commands: dict[str, Lazy], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy_commands = lazy_commands

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        return [*self._lazy_commands, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, loaded now."""
        lazy = self._lazy_commands.get(cmd_name)
        if lazy is None:
            return super().get_command(ctx, cmd_name)
        command = getattr(import_module(lazy.module), lazy.name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{lazy.module}.{lazy.name} is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """The list of commands, without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.told) for name, lazy in self._lazy_commands.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands that begin so, without loading them, and the group's own options."""
        from click.shell_completion import CompletionItem

        return [
            CompletionItem(name, help=lazy.told)
            for name, lazy in self._lazy_commands.items()
            if name.startswith(incomplete)
        ] + click.Command.shell_complete(self, ctx, incomplete)


class OrderedGroup(click.Group):
    """A group that lists its commands in the order in which they were added, as they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names in that order."""
        return list(self.commands)
