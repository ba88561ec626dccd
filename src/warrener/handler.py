"""A handler: one function with the rules under which it runs, and how a task's data becomes its arguments."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, get_type_hints

import msgspec

from warrener.codec import NOT_JSON, encode, encode_task
from warrener.errors import AppError, InvalidTask
from warrener.models import MAX_NAME_BYTES, Task
from warrener.text import sanitize
from warrener.values.reading import Field, Reader
from warrener.values.strict_json import why_not

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

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
        soft_timeout: float | None = None,
        permanent: tuple[type[BaseException], ...] = (),
        given: Collection[Any] = (),
    ) -> None:
        if not name or len(name.encode()) > MAX_NAME_BYTES:
            raise AppError(f"type {name!r} is not allowed: use 1 to {MAX_NAME_BYTES} bytes")
        _refuse_uncallable(name, function)
        self.name = name
        self.function = function
        self.policy = policy
        self.timeout = timeout
        self.soft_timeout = soft_timeout
        self.permanent = permanent
        self.is_async = inspect.iscoroutinefunction(function)
        self._parameters = _parameters(name, function, given)
        self.asks = self._parameters.asks
        """The parameters that are no data, by name, with the types of what they are given."""
        self.is_bare = not self.asks and soft_timeout is None
        """Whether a call with its data is all that it needs."""

    def bind(self, task_id: str, task_type: str, priority: int, data: bytes) -> dict[str, Any]:
        """A task's data as the function's keyword arguments, checked against its annotations.

        Text that reads as what is wanted is taken as such, since CSV knows only text (`warrener.values.reading`).

        Raises:
            InvalidTask: The data does not fit; the text names the argument.
        """
        try:
            bound = self._parameters.reader.read(data)
            if self._parameters.rest or self._parameters.task:
                members = msgspec.json.decode(data, type=dict[str, Any])
                if self._parameters.rest:
                    bound = {**members, **bound}
                if self._parameters.task:
                    bound[self._parameters.task] = Task(task_id, task_type, members, priority)
        except NOT_JSON as error:
            reason = sanitize(why_not(error, data))
            raise InvalidTask(f"data does not fit handler {self.name!r}: {reason}") from error
        return bound

    @property
    def required(self) -> tuple[str, ...]:
        """The parameters that each task must give; where it need give none, the first that it may."""
        return self._parameters.required or self._parameters.optional[:1]

    def task(self, args: tuple[Any, ...], arguments: dict[str, Any]) -> Task:
        """A task for this handler with the arguments of a call, checked as a worker will check them. It has no id yet.

        Raises:
            InvalidTask: They do not fit; the text says why.
        """
        try:
            given = self._parameters.signature.bind(*args, **arguments).arguments
        except TypeError as error:
            raise InvalidTask(f"a task for handler {self.name!r} cannot be made so: {error}") from None
        given |= given.pop(self._parameters.rest, {})
        try:
            body = encode_task(Task("-", self.name, given))
        except InvalidTask as error:
            raise InvalidTask(f"a task for handler {self.name!r} cannot be made so: {error}") from None
        return Task("", self.name, self._fitting(body))

    def check(self, task: Task) -> None:
        """See that a task's data fits.

        Raises:
            InvalidTask: It does not.
        """
        self._fitting(encode_task(task))

    def _fitting(self, body: bytes) -> dict[str, Any]:
        """The data of a task, plain as it arrives, once it is known to fit."""
        data: dict[str, Any] = msgspec.json.decode(body)["data"]
        self.bind("", self.name, 0, encode(data))
        return data

    def task_of(self, value: Any) -> Task:
        """A task with one value, for the only parameter that must be given, or the first one that may.

        Raises:
            InvalidTask: It does not fit, or the handler needs more or takes none.
        """
        if len(self.required) != 1:
            needs = " and ".join(self.required) or "no argument at all"
            raise InvalidTask(
                f"handler {self.name!r} takes {needs}, and not one value: give a dict of arguments"
            )
        return self.task((), {self.required[0]: value})


def _refuse_uncallable(name: str, function: Callable[..., Any]) -> None:
    """See that a function can be called with a task's data, and returns a value.

    Raises:
        AppError: It cannot, or does not.
    """
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise AppError(f"handler {name!r} is a generator; return a list instead of yielding")
    if inspect.isclass(function):
        raise AppError(f"handler {name!r} is a class; decorate a function that makes one")
    if not inspect.isroutine(function) or isinstance(function, classmethod):
        kind = type(function).__name__
        raise AppError(f"handler {name!r} is a {kind} and no function; write a function that calls it")


class _Parameters(NamedTuple):
    """What a function takes.

    Args:
        task: The name of its `Task` parameter; empty if it has none.
        asks: The parameters that are no data either, with the types of what they are given.
        rest: That of the one for all others; empty, too.
        required: The names of those that need a value, and
        optional: of those that have a default.
        reader: Reads all of them.
        signature: All of them as a call gives them.
    """

    task: str
    asks: dict[str, Any]
    rest: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    reader: Reader
    signature: inspect.Signature


def _parameters(name: str, function: Callable[..., Any], given: Collection[Any]) -> _Parameters:
    try:
        hints = get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        raise AppError(f"handler {name!r} has an annotation that cannot be read: {error}") from error
    task, rest = "", ""
    asks: dict[str, Any] = {}
    try:
        signature = inspect.signature(function)
    except ValueError as error:
        raise AppError(
            f"handler {name!r} does not say what it takes; write a function that calls it"
        ) from error
    _refuse_self(name, function, signature)
    fields: list[Field] = []
    for parameter in signature.parameters.values():
        hint = hints.get(parameter.name, Any)
        if parameter.kind is parameter.VAR_KEYWORD:
            rest = parameter.name
        elif parameter.kind in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY):
            raise AppError(f"handler {name!r} takes {parameter} by position; data is bound by name")
        elif hint is Task:
            task = parameter.name
        elif hint in given:
            asks[parameter.name] = hint
        elif parameter.default is parameter.empty:
            fields.append((parameter.name, hint))
        else:
            fields.append((parameter.name, hint, partial(_default, parameter)))
    try:
        reader = Reader(fields, is_open=bool(rest or task))
    except TypeError as error:
        raise AppError(
            f"handler {name!r} has a parameter that cannot come from JSON: {error}; what a lifespan yields can be asked for below it"
        ) from error
    required = tuple(field[0] for field in fields if len(field) == 2)  # noqa: PLR2004 - name and type, and no default
    optional = tuple(field[0] for field in fields if len(field) > 2)  # noqa: PLR2004 - as above
    data = [each for each in signature.parameters.values() if each.name != task and each.name not in asks]
    return _Parameters(task, asks, rest, required, optional, reader, signature.replace(parameters=data))


def _refuse_self(name: str, function: Callable[..., Any], signature: inspect.Signature) -> None:
    owner = getattr(function, "__qualname__", "").rpartition(".")[0]
    first = next(iter(signature.parameters), "")
    if first in {"self", "cls"} and owner and not owner.endswith("<locals>"):
        raise AppError(
            f"handler {name!r} is a method of {owner}, and no task can bring it its {first!r}: write a function outside "
            "of the class, or make it a @staticmethod, below @app.task"
        )


def _default(parameter: inspect.Parameter) -> Any:
    return parameter.default
