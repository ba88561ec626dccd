"""What an app does around its handlers: a lifespan is entered once in each child that runs them."""

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


class Lifespan:
    """One function that makes what handlers need, yields it, and puts it away again.

    Args:
        function: A generator function, plain or `async`, as it is or made a context manager of by `contextlib`.
        given: The types that its parameters may ask for: what the lifespans before it yield.

    Raises:
        AppError: It cannot be one; the text says why.
    """

    def __init__(self, function: Callable[..., Any], given: Collection[Any]) -> None:
        self.name: str = getattr(function, "__name__", repr(function))
        self.function = function
        self._generator = inspect.unwrap(function)
        self.is_async = inspect.isasyncgenfunction(self._generator)
        if not self.is_async and not inspect.isgeneratorfunction(self._generator):
            raise AppError(
                f"lifespan {self.name!r} is no generator function: let it make what handlers need, `yield` it once, and put it "
                "away after that"
            )
        hints = hints_of(f"lifespan {self.name!r}", self._generator)
        self.asks = asked_by(f"lifespan {self.name!r}", self._generator, hints, given)
        self.yields = self._yielded(hints.get("return", None))
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
            return asynccontextmanager(self._generator)(**arguments)
        return contextmanager(self._generator)(**arguments)

    def place(self, error: BaseException) -> str:
        """Where in it an error comes from, as `app.py, line 8`."""
        code = self._generator.__code__
        line = code.co_firstlineno
        trace = error.__traceback__
        while trace:
            if trace.tb_frame.f_code is code:
                line = trace.tb_lineno
            trace = trace.tb_next
        return f"{Path(code.co_filename).name}, line {line}"

    def _yielded(self, annotation: Any) -> Any:
        kinds = get_args(annotation)
        if not kinds or kinds[0] is type(None):
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


def asked_by(
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
                f"{who} has a parameter {name!r} that nothing is given for: annotate it with what a lifespan above it yields"
            )
        asks[name] = kind
    return asks
