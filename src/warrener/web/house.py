"""What the page is about, and what it may do: given once, when the server is started."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from warrener.brokers import Broker


class House(NamedTuple):
    """What the page is about, and what it may do.

    Args:
        shown: The broker as it may be shown, without its password.
        open: A queue's open broker, by the queue's name.
        names: The queues that there are.
        queue: The one that was asked for; None for all.
        can_act: Whether it may retry, discard, pause, resume and cancel.
        user: Who acts: `user@host`.
    """

    shown: str
    open: Callable[[str], AbstractAsyncContextManager[Broker]]
    names: Callable[[], Awaitable[list[str]]]
    queue: str | None = None
    can_act: bool = False
    user: str = ""
