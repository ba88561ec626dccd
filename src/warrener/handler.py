"""A handler: one function with the rules under which it runs, and how a task's data becomes its arguments."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any, get_type_hints

import msgspec

from warrener.codec import NOT_JSON
from warrener.errors import AppError, InvalidTask
from warrener.models import MAX_NAME_BYTES, Task
from warrener.text import sanitize

if TYPE_CHECKING:
    from collections.abc import Callable

    from warrener.retry import RetryPolicy


class Handler:
    """One function with the rules under which it runs."""

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        *,
        policy: RetryPolicy,
        timeout: float | None = None,
        permanent: tuple[type[BaseException], ...] = (),
    ) -> None:
        if not name or len(name.encode()) > MAX_NAME_BYTES:
            raise AppError(f"type {name!r} is not allowed: use 1 to {MAX_NAME_BYTES} bytes")
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise AppError(f"handler {name!r} is a generator; return a list instead of yielding")
        self.name = name
        self.function = function
        self.policy = policy
        self.timeout = timeout
        self.permanent = permanent
        self.is_async = inspect.iscoroutinefunction(function)
        self._task_parameter, self._takes_rest, self._arguments = _arguments(name, function)
        self._decoder = msgspec.json.Decoder(self._arguments, strict=False)

    def bind(self, task_id: str, task_type: str, priority: int, data: bytes) -> dict[str, Any]:
        """A task's data as the function's keyword arguments, checked against its annotations.

        Text that reads as the wanted number or boolean is taken as such, since CSV knows only text.

        Raises:
            InvalidTask: The data does not fit; the text names the argument.
        """
        try:
            if self._takes_rest:
                members = msgspec.json.decode(data, type=dict[str, Any])
                bound = msgspec.structs.asdict(msgspec.convert(members, self._arguments, strict=False))
                bound = {**members, **bound}
            else:
                bound = msgspec.structs.asdict(self._decoder.decode(data))
            if self._task_parameter:
                members = msgspec.json.decode(data, type=dict[str, Any])
                bound[self._task_parameter] = Task(task_id, task_type, members, priority)
        except NOT_JSON as error:
            raise InvalidTask(f"data does not fit handler {self.name!r}: {sanitize(error)}") from error
        return bound


def _arguments(name: str, function: Callable[..., Any]) -> tuple[str | None, bool, type[msgspec.Struct]]:
    """What a function takes: the name of its `Task` parameter, whether it takes any other, and the rest."""
    try:
        hints = get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        raise AppError(f"handler {name!r} has an annotation that cannot be read: {error}") from error
    task_parameter, takes_rest = None, False
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for parameter in inspect.signature(function).parameters.values():
        hint = hints.get(parameter.name, Any)
        if parameter.kind is parameter.VAR_KEYWORD:
            takes_rest = True
        elif parameter.kind in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY):
            raise AppError(f"handler {name!r} takes {parameter} by position; data is bound by name")
        elif hint is Task:
            task_parameter = parameter.name
        elif parameter.default is parameter.empty:
            fields.append((parameter.name, hint))
        else:
            fields.append((parameter.name, hint, msgspec.field(default_factory=partial(_default, parameter))))
    try:
        arguments = msgspec.defstruct(
            "data", fields, kw_only=True, forbid_unknown_fields=not (takes_rest or task_parameter)
        )
        msgspec.json.Decoder(arguments)
    except TypeError as error:
        raise AppError(f"handler {name!r} has a parameter that cannot come from JSON: {error}") from error
    return task_parameter, takes_rest, arguments


def _default(parameter: inspect.Parameter) -> Any:
    return parameter.default
