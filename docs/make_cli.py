"""Writes `cli.md` from the commands themselves: `python docs/make_cli.py > docs/cli.md`."""

import sys
from typing import Any

import typer

from warrener.cli.main import app


def reference() -> str:
    """Every command's help, one section each."""
    command: Any = app
    parts = [
        "# Command line",
        "",
        "Made from the commands themselves by `python docs/make_cli.py > docs/cli.md`.",
    ]
    for path, leaf in _leaves(command, "warrener"):
        context = typer.Context(leaf, info_name=path, terminal_width=100, max_content_width=100)
        parts += ["", f"## {path}", "", "```", leaf.get_help(context).strip(), "```"]
    return "\n".join(parts) + "\n"


def _leaves(command: Any, path: str) -> list[tuple[str, Any]]:
    children = getattr(command, "commands", None)
    if children is None:
        return [(path, command)]
    return [leaf for name, child in children.items() for leaf in _leaves(child, f"{path} {name}")]


if __name__ == "__main__":
    sys.stdout.write(reference())
