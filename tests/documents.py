"""What stands in our documents, to be run as it stands there."""

from __future__ import annotations

import re
import shlex
import textwrap
from pathlib import Path
from typing import Final

import click

from warrener.cli.main import app

ROOT: Final = Path(__file__).parents[1]


class Document:
    """A page in Markdown."""

    def __init__(self, name: str) -> None:
        self.text = (ROOT / name).read_text("utf-8")

    def blocks(self, language: str = "") -> list[str]:
        """The code blocks in a language, without their indentation."""
        found = re.findall(r"^( *)```(\w*)\n(.*?)^\1```$", self.text, re.MULTILINE | re.DOTALL)
        return [textwrap.dedent(block) for _, kind, block in found if kind == language]

    def files(self) -> dict[str, str]:
        """The Python files it shows, by the name in their first line."""
        return {
            found[1]: block for block in self.blocks("python") if (found := re.match(r"# (\w+\.py)\n", block))
        }

    def commands(self) -> list[list[str]]:
        """The words of each `warrener ...` line, without what is said about it at its end."""
        lines = [line for block in self.blocks() for line in block.splitlines()]
        found = [re.match(r"(?:\$ )?warrener (.*?)(?:\s{2,}.*|\s+#.*)?$", line) for line in lines]
        return [shlex.split(line[1]) for line in found if line]


def parse(words: list[str]) -> None:
    """Have the command line look at a command without running it; what it cannot read is an error."""
    context = click.Context(app, info_name="warrener", **app.context_settings)
    command: click.Command | None = app
    words = words.copy()
    while isinstance(command, click.Group) and not words[0].startswith("-"):
        command = command.get_command(context, words.pop(0))
    assert command
    command.make_context("warrener", words)
