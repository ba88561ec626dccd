"""Writes `cli.md` from the commands themselves: `python docs/make_cli.py > docs/cli.md`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from warrener.cli.main import app

if TYPE_CHECKING:
    from collections.abc import Iterator

_WIDTH = 100


def reference() -> str:
    """Every command's help, one section each."""
    parts = [
        "# Command line",
        "",
        "Made from the commands themselves by `python docs/make_cli.py > docs/cli.md`.",
    ]
    root = click.Context(app, info_name="warrener", terminal_width=_WIDTH, **app.context_settings)
    for context in _leaves(root):
        parts += ["", f"## {context.command_path}", "", "```", context.get_help().strip(), "```"]
    return "\n".join(parts) + "\n"


def _leaves(context: click.Context) -> Iterator[click.Context]:
    """The commands that have none below them."""
    group = context.command
    if not isinstance(group, click.Group):
        yield context
        return
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command  # noqa: S101 - it is in the list
        if not command.hidden:
            yield from _leaves(click.Context(command, parent=context, info_name=name))


if __name__ == "__main__":
    sys.stdout.write(reference())
