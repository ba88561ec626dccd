"""What an app does around its handlers: lifespans, once in each child that runs them, and middleware, in each attempt."""

from __future__ import annotations

import collections.abc
import inspect
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import GenericAlias
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin, get_type_hints

from warrener.errors import AppError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

# Annotations that people import for their type checker alone, and what they mean.
_USUAL: Final = {
    name: getattr(collections.abc, name)
    for name in ("AsyncGenerator", "AsyncIterable", "AsyncIterator", "Generator", "Iterable", "Iterator")
}


class _Hook:
    """A function that yields once, plain or `async`.

    Args:
        kind: What it is called in sentences.
        function: A generator function, as it is or made a context manager of by `contextlib`.
        given: The types that its parameters may ask for.

    Raises:
        AppError: It cannot be one; the text says why.
    """

    def __init__(self, kind: str, function: Callable[..., Any], given: Collection[Any]) -> None:
        self.name: str = getattr(function, "__name__", repr(function))
        self.generator = inspect.unwrap(function)
        self.is_async = inspect.isasyncgenfunction(self.generator)
        who = f"{kind} {self.name!r}"
        if not self.is_async and not inspect.isgeneratorfunction(self.generator):
            raise AppError(
                f"{who} is no generator function: what comes before is done first, then it does `yield` once, and what comes after "
                "is done last"
            )
        self.hints = hints_of(who, self.generator)
        self.asks = _asked_by(who, self.generator, self.hints, given)
        """What each parameter asks for, by its annotation."""


class Middleware(_Hook):
    """One that is around each attempt. Args: as `_Hook`."""

    def __init__(self, function: Callable[..., Any], given: Collection[Any]) -> None:
        super().__init__("middleware", function, given)


class Lifespan(_Hook):
    """One that makes what handlers need, yields it, and puts it away again. Args: as `_Hook`."""

    def __init__(self, function: Callable[..., Any], given: Collection[Any]) -> None:
        super().__init__("lifespan", function, given)
        self.yields = self._yielded(self.hints.get("return"))
        """The type of what it yields; None where that is nothing."""

    def opened(
        self, resources: Mapping[Any, object]
    ) -> AbstractContextManager[object] | AbstractAsyncContextManager[object]:
        """It, as a context manager that was not entered yet.

        Args:
            resources: What the lifespans before it have yielded, by type.
        """
        arguments = {name: resources[kind] for name, kind in self.asks.items()}
        if self.is_async:
            return asynccontextmanager(self.generator)(**arguments)
        return contextmanager(self.generator)(**arguments)

    def place(self, error: BaseException) -> str:
        """Where in it an error comes from, as `app.py, line 8`."""
        code = self.generator.__code__
        line = code.co_firstlineno
        trace = error.__traceback__
        while trace:
            if trace.tb_frame.f_code is code:
                line = trace.tb_lineno
            trace = trace.tb_next
        return f"{Path(code.co_filename).name}, line {line}"

    def _yielded(self, annotation: Any) -> Any:
        kinds = get_args(annotation)
        if not kinds or kinds[0] in (None, type(None)):  # `collections.abc` leaves None as it is
            return None
        kind = kinds[0]
        maker = get_origin(kind) or kind
        if maker is Any or not isinstance(maker, type) or maker.__module__ == "builtins":
            shown = kind if isinstance(kind, GenericAlias) else getattr(kind, "__name__", kind)
            raise AppError(
                f"lifespan {self.name!r} yields {shown}, which cannot be told from a task's data: let it yield an object of a "
                "class, such as a dataclass"
            )
        return kind


def hints_of(who: str, function: Callable[..., Any]) -> dict[str, Any]:
    """A function's annotations.

    Raises:
        AppError: One cannot be read.
    """
    known = getattr(function, "__globals__", {})
    usual = {name: kind for name, kind in _USUAL.items() if name not in known}
    try:
        return get_type_hints(function, localns=usual)
    except (NameError, TypeError) as error:
        raise AppError(f"{who} has an annotation that cannot be read: {error}") from error


def _asked_by(
    who: str, function: Callable[..., Any], hints: Mapping[str, Any], given: Collection[Any]
) -> dict[str, Any]:
    """What each parameter of a function asks for, by its annotation.

    Raises:
        AppError: One asks for nothing that is given.
    """
    asks: dict[str, Any] = {}
    for name in inspect.signature(function).parameters:
        kind = hints.get(name)
        if kind is None or kind not in given:
            raise AppError(
                f"{who} has a parameter {name!r} that nothing is given for: annotate it with a type that is"
            )
        asks[name] = kind
    return asks
