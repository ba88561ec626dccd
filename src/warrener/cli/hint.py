"""Commands that go on: to be pasted into a shell as they stand."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warrener.address import Address

_OF_THE_ADDRESS: Final = ("broker", "queue", "management")


def again(address: Address, **changed: Any) -> str:
    """The command that runs now, with all that it was given, but for what is changed.

    What came from the environment is there still. No password is in it.

    Args:
        address: The queue, which says itself which options lead to it.
        changed: Parameters by name, with the values that they are to have.
    """
    context = click.get_current_context()
    given = {
        parameter.name: value
        for parameter in context.command.params
        if (value := context.params.get(parameter.name or "")) is not None
        and context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
    } | changed
    options: list[str] = []
    arguments: list[str] = []
    for parameter in context.command.params:
        if parameter.name in given and parameter.name not in _OF_THE_ADDRESS:
            words = list(_words(parameter, given[parameter.name]))
            (arguments if isinstance(parameter, click.Argument) else options).extend(words)
    if any(word.startswith("-") and word != "-" for word in arguments):
        arguments.insert(0, "--")
        return f"{context.command_path}{_quoted(options)}{address.flags()}{_quoted(arguments)}"
    return f"{context.command_path}{_quoted(arguments)}{_quoted(options)}{address.flags()}"


def _words(parameter: click.Parameter, value: Any) -> Iterator[str]:
    values = value if isinstance(value, tuple) else (value,)
    if isinstance(parameter, click.Argument):
        yield from map(str, values)
    elif isinstance(parameter, click.Option) and parameter.is_flag:
        yield from parameter.opts[:1] if value else ()
    else:
        name = min(parameter.opts, key=len)
        yield from (word for one in values for word in (name, str(one)))


def _quoted(words: list[str]) -> str:
    return "".join(f" {shlex.quote(word)}" for word in words)
