"""What children run: an app's handlers and its hooks, or a command."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warrener.handler import Handler
    from warrener.hooks import Lifespan


class Runnable(NamedTuple):
    """What one child has.

    Args:
        handlers: By type; `*` takes every other one.
        lifespans: In the order in which they are entered.
    """

    handlers: dict[str, Handler]
    lifespans: Sequence[Lifespan] = ()

    @property
    def needs_loop(self) -> bool:
        """Whether any of it is `async`."""
        handlers = self.handlers.values()
        return any(each.is_async for each in handlers) or any(each.is_async for each in self.lifespans)
