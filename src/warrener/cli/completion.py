"""`warrener completion`: what a shell needs to complete commands and options."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

_VARIABLE: Final = "_WARRENER_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Write the script that has your shell complete commands and options.

    Let the shell read it at its start: in ~/.bashrc write `eval "$(warrener completion bash)"`, in ~/.zshrc
    `eval "$(warrener completion zsh)"`, and for fish save it as ~/.config/fish/completions/warrener.fish.

    Example: warrener completion bash
    """
    found = get_completion_class(shell)
    assert found  # noqa: S101 - click has all three
    click.echo(found(ctx.find_root().command, {}, "warrener", _VARIABLE).source())
