"""Middleware around one attempt: each sees what the handler makes of it, and none can lose it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from warrener.text import sanitize
from warrener.worker.child.reports import without_ours

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from warrener.hooks import Middleware

T = TypeVar("T")
_ENDS = (StopIteration, StopAsyncIteration)


class MiddlewareEnded(Exception):  # noqa: N818 - its name is what users read
    """A middleware has ended before its `yield`, so that the handler did not run."""


async def within(
    middlewares: Sequence[Middleware],
    arguments: Callable[[Middleware], Mapping[str, object]],
    call: Callable[[], Awaitable[tuple[object, T]]],
    say: Callable[[str, str], None],
) -> T:
    """Call a handler within middleware, the first outermost.

    What it has returned stands, whatever a middleware does after that. What it has raised is raised, or what a middleware raises
    instead, which has it as its context.

    Args:
        middlewares: The app's.
        arguments: What each is to be called with.
        call: The handler: what middleware is to see of its outcome, and what is returned here.
        say: Told of a middleware by its name, and what it did.
    """
    entered: list[tuple[Middleware, Any]] = []
    seen: object = None
    result: T
    error: BaseException | None = None
    try:
        for middleware in middlewares:
            generator = middleware.generator(**arguments(middleware))
            await _begin(middleware, generator)
            entered.append((middleware, generator))
        seen, result = await call()
    except BaseException as raised:  # noqa: BLE001 - it is raised below
        error = raised.with_traceback(without_ours(raised.__traceback__))
    for middleware, generator in reversed(entered):
        if error is None:
            await _finish(middleware, generator, seen, say)
        else:
            error = await _tell(middleware, generator, error)
    if error is not None:
        raise error
    return result


async def _begin(middleware: Middleware, generator: Any) -> None:
    try:
        has_ended = await _ends(middleware, generator, "send", None)
    except BaseException as error:
        error.add_note(f"raised by middleware {middleware.name!r} before the handler ran")
        raise
    if has_ended:
        raise MiddlewareEnded(
            f"middleware {middleware.name!r} ended before its `yield`, so the handler did not run"
        )


async def _finish(
    middleware: Middleware, generator: Any, value: object, say: Callable[[str, str], None]
) -> None:
    try:
        has_ended = await _ends(middleware, generator, "send", value)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - the handler has done its work
        said = f"{type(error).__name__}: {sanitize(error)}"
        say(middleware.name, f"raised {said} after the handler had returned; the result stands")
        return
    if not has_ended:
        say(middleware.name, "yields twice; what is after the second `yield` does not run")
        await _close(middleware, generator)


async def _tell(middleware: Middleware, generator: Any, error: BaseException) -> BaseException:
    """What is raised after this one has seen an error."""
    trace = error.__traceback__
    try:
        if await _ends(middleware, generator, "throw", error):
            error.add_note(f"middleware {middleware.name!r} swallowed this error, which stands")
        else:
            error.add_note(f"middleware {middleware.name!r} yields twice")
            await _close(middleware, generator)
    except BaseException as other:  # noqa: BLE001 - it is raised in place of the first
        # Python makes another error of these where they leave a generator.
        is_the_same = (
            isinstance(error, _ENDS) and isinstance(other, RuntimeError) and other.__cause__ is error
        )
        if other is not error and not is_the_same:
            other.__context__ = other.__context__ or error
            other.add_note(f"raised by middleware {middleware.name!r} in place of {type(error).__name__}")
            return other
    error.__traceback__ = trace
    return error


async def _ends(
    middleware: Middleware, generator: Any, step: Literal["send", "throw"], value: object
) -> bool:
    """Let it go on to its next `yield`; whether there is none."""
    try:
        if middleware.is_async:
            await getattr(generator, f"a{step}")(value)
        else:
            getattr(generator, step)(value)
    except _ENDS:
        return True
    return False


async def _close(middleware: Middleware, generator: Any) -> None:
    with suppress(BaseException):  # it was said what is wrong with it
        if middleware.is_async:
            await generator.aclose()
        else:
            generator.close()
