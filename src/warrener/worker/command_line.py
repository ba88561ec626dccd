"""The command line of `--exec`: its words, with the values of a task filled in where it asks for them."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any, Final

from warrener.codec import encode
from warrener.errors import AppError, PermanentError
from warrener.worker.command_file import why_it_cannot_run
from warrener.worker.untraced import Untraced

if TYPE_CHECKING:
    from warrener.models import Task

# Not `${name}`, which is the shell's; `{{name}}` is `{name}` as it stands.
_PLACEHOLDER: Final = re.compile(r"\{\{([A-Za-z_][\w.-]*)\}\}|(?<!\$)\{([A-Za-z_][\w.-]*)\}")
_KNOWN: Final = "{data.NAME}, {id}, {type} and {priority}"
_SHELL: Final = "/bin/sh"


class NoSuchValue(Untraced, PermanentError):  # noqa: N818 - its name is what users read
    """A task has nothing for a placeholder."""


class CommandLine:
    """A command for every task.

    Args:
        text: Quoted as for a shell.
        is_shell: A shell runs it: what is filled in stays one word, whatever is in it.

    Raises:
        AppError: It cannot be read, asks for what there is not, or there is no such command.
    """

    def __init__(self, text: str, *, is_shell: bool = False) -> None:
        self._names: list[str] = []
        if is_shell:
            self._words = [_SHELL, "-c", self._script(text), _SHELL]
        else:
            try:
                self._words = shlex.split(text)
            except ValueError as error:
                raise AppError(f"command {text!r} cannot be read: {error}") from error
            for word in self._words:
                _PLACEHOLDER.sub(self._checked, word)
        first = self._words[0] if self._words else ""
        if not text.strip():
            raise AppError(f"command {text!r} does not exist or is not executable")
        if not _PLACEHOLDER.search(first) and (reason := why_it_cannot_run(first, text)):
            raise AppError(f"command {text!r} {reason}{'' if is_shell else _hint(text)}")
        self._is_shell = is_shell

    def words(self, task: Task) -> list[str]:
        """The words to run for a task.

        Raises:
            NoSuchValue: It lacks what the command asks for.
        """
        if self._is_shell:
            return [*self._words, *(_value(task, name) for name in self._names)]
        return [
            _PLACEHOLDER.sub(lambda found: f"{{{found[1]}}}" if found[1] else _value(task, found[2]), word)
            for word in self._words
        ]

    def _checked(self, found: re.Match[str]) -> str:
        name = found[2]
        if name and name not in {"id", "type", "priority"} and not name.startswith("data."):
            raise AppError(
                f"the command asks for {{{name}}}, and there are {_KNOWN}; write {{{{{name}}}}} for the text {{{name}}}"
            )
        return found[0]

    def _script(self, text: str) -> str:
        """With the shell's parameters in place of what is filled in, so that no value is ever read as a part of the script."""
        script, end, quote = "", 0, ""
        for found in _PLACEHOLDER.finditer(text):
            self._checked(found)
            before = text[end : found.start()]
            script, end, quote = script + before, found.end(), _quote_after(before, quote)
            if found[1]:
                script += f"{{{found[1]}}}"
            elif quote == "'":
                raise AppError(
                    f"the command has {found[0]} within single quotes, where a shell fills nothing in: leave these quotes away"
                )
            else:
                self._names.append(found[2])
                parameter = f"${{{len(self._names)}}}"
                script += parameter if quote else f'"{parameter}"'
        return script + text[end:]


def _quote_after(text: str, quote: str) -> str:
    """Within which quotes the shell is after some text; none is empty."""
    characters = iter(text)
    for character in characters:
        if character == "\\" and quote != "'":
            next(characters, None)
        elif character == quote:
            quote = ""
        elif not quote and character in "'\"":
            quote = character
    return quote


def _value(task: Task, name: str) -> str:
    """A value as a word: text as it is, and all else as JSON."""
    if name in {"id", "type", "priority"}:
        return str(getattr(task, name))
    value: Any = task.data
    for part in name.split(".")[1:]:
        if not isinstance(value, dict) or part not in value:
            raise NoSuchValue(f"the command asks for {{{name}}}, and the task's data has no {part!r}")
        value = value[part]
    return value if isinstance(value, str) else encode(value).decode()


def _hint(text: str) -> str:
    return "; give --shell if a shell is to run it" if re.search(r"[|&;<>]|\bcd\b", text) else ""
