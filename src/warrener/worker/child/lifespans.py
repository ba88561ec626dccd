"""An app's lifespans in one process: entered in order, left in reverse."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from warrener.errors import PermanentError
from warrener.text import sanitize
from warrener.worker.child.at_once import at_once
from warrener.worker.child.reports import told

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Sequence

    from warrener.hooks import Lifespan

# What trying again does not help: mistakes in code or settings. A library's own exceptions mostly tell of its server.
_LASTING = (
    PermanentError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    FileNotFoundError,
    ImportError,
    IsADirectoryError,
    LookupError,
    NameError,
    NotADirectoryError,
    NotImplementedError,
    PermissionError,
    SyntaxError,
    SystemExit,
    TypeError,
    ValueError,
)


class NotEntered(Exception):  # noqa: N818 - reads as what is the case
    """A lifespan cannot be entered.

    Args:
        sentence: Which, where and why.
        is_lasting: Whether trying again cannot help.
    """

    def __init__(self, sentence: str, *, is_lasting: bool) -> None:
        super().__init__(sentence)
        self.is_lasting = is_lasting


class Lifespans:
    """Those of an app, in one process.

    Args:
        lifespans: In the order in which they are entered.
        say: Told a sentence for each that cannot be left.
    """

    def __init__(self, lifespans: Sequence[Lifespan], say: Callable[[str], None]) -> None:
        self.resources: dict[Any, object] = {}
        """What was yielded, by type."""
        self._lifespans = lifespans
        self._say = say

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Enter them, and leave them. None of them is `async`.

        Raises:
            NotEntered: One fails; those before it are left.
        """
        stack = self.entered_async()
        at_once(stack.__aenter__())
        try:
            yield
        finally:
            at_once(stack.__aexit__(None, None, None))

    @asynccontextmanager
    async def entered_async(self) -> AsyncGenerator[None]:
        """The same in an event loop, and in one of its tasks."""
        async with AsyncExitStack() as stack:
            for lifespan in self._lifespans:
                try:
                    manager: Any = lifespan.opened(self.resources)
                    value = await manager.__aenter__() if lifespan.is_async else manager.__enter__()
                except BaseException as error:
                    raise _not_entered(lifespan, error) from error
                stack.push_async_callback(self._leave, lifespan, manager)
                self._keep(lifespan, value)
            yield

    async def _leave(self, lifespan: Lifespan, manager: Any) -> None:
        try:
            if lifespan.is_async:
                await manager.__aexit__(None, None, None)
            else:
                manager.__exit__(None, None, None)
        except BaseException as error:  # noqa: BLE001 - as above
            self._say(_not_left(lifespan, error))

    def _keep(self, lifespan: Lifespan, value: object) -> None:
        if lifespan.yields is not None:
            self.resources[lifespan.yields] = value
        elif value is not None:
            raise NotEntered(
                f"lifespan {lifespan.name!r} ({lifespan.place(_NOWHERE)}) yields a {type(value).__name__} and does not say so: "
                f"annotate it, as in `-> Iterator[{type(value).__name__}]`, and handlers can ask for it",
                is_lasting=True,
            )


_NOWHERE = Exception()


def _not_entered(lifespan: Lifespan, error: BaseException) -> NotEntered:
    if isinstance(error, RuntimeError) and str(error) == "generator didn't yield":
        sentence, is_lasting = "it ends without a `yield`", True
    else:
        sentence, is_lasting = _shown(error), isinstance(error, _LASTING)
    return NotEntered(
        f"lifespan {lifespan.name!r} fails ({lifespan.place(error)}): {sentence}", is_lasting=is_lasting
    )


def _not_left(lifespan: Lifespan, error: BaseException) -> str:
    return f"lifespan {lifespan.name!r} fails when it is left ({lifespan.place(error)}): {_shown(error)}"


def _shown(error: BaseException) -> str:
    said = told(lambda: sanitize(error))
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
