"""What children run: an app's handlers and its hooks, or a command."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warrener.handler import Handler
    from warrener.hooks import Lifespan, Middleware


class Runnable(NamedTuple):
    """What one child has.

    Args:
        handlers: By type; `*` takes every other one.
        lifespans: In the order in which they are entered.
        middlewares: The first is outermost.
        is_spawned: Whether each child imports it by itself.
        home: The kind of broker, and the queue, whose tasks it runs.
    """

    handlers: dict[str, Handler]
    lifespans: Sequence[Lifespan] = ()
    middlewares: Sequence[Middleware] = ()
    is_spawned: bool = False
    home: tuple[str, str] = ("warrener", "")

    @property
    def prepares(self) -> bool:
        """Whether a child has something to do before it can take tasks."""
        return self.is_spawned or bool(self.lifespans)

    @property
    def needs_loop(self) -> bool:
        """Whether any of it is `async`."""
        hooks = (*self.lifespans, *self.middlewares)
        return any(handler.is_async for handler in self.handlers.values()) or any(
            hook.is_async for hook in hooks
        )
