"""What the page does: orders to workers, and failures tried again or dropped; each is written down with who."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

from warrener.codec import NOT_JSON
from warrener.errors import UsageError
from warrener.orders import Cancelled, Paused, Resumed, current, give
from warrener.web.answers import Refused

if TYPE_CHECKING:
    from warrener.brokers import Broker


class Cancel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `cancel` is given, as `warrener.orders.Cancelled` has it."""

    types: tuple[str, ...] = ()
    running: bool = False


class Done(msgspec.Struct, frozen=True):
    """What was done.

    Args:
        done: How many failures, or 1 for an order that was given.
        notes: What is to be said about it.
    """

    done: int
    notes: tuple[str, ...] = ()


def read_body(body: bytes, kind: type[Any]) -> Any:
    """What an action was given.

    Raises:
        UsageError: It is not what this action takes.
    """
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except NOT_JSON as error:
        raise UsageError(f"this action cannot be read: {error}") from error


async def pause(broker: Broker, by: str) -> Done:
    """As `warrener pause`."""
    hold = (await current(broker)).hold
    if hold and not hold.limit:
        return Done(0, (f"the queue is {hold.what} already, by {hold.by}",))
    await give(broker, Paused(by, time.time()))
    return Done(1)


async def resume(broker: Broker, by: str) -> Done:
    """As `warrener resume`."""
    orders = await current(broker)
    if not (orders.hold or orders.types):
        return Done(0, ("there is nothing to resume: the queue is neither paused nor cancelled",))
    await give(broker, Resumed(by, time.time()))
    if orders.types:
        return Done(
            1, ("what ended as cancelled can be tried again: retry the failures of reason cancelled",)
        )
    return Done(1)


async def cancel(broker: Broker, by: str, what: Cancel) -> Done:
    """As `warrener cancel`."""
    await give(broker, Cancelled(by, time.time(), what.types, what.running))
    return Done(1)


def who_acts(user: str, forwarded: str | None, *, is_proxied: bool) -> str:
    """Who is written down.

    Args:
        user: Who started the page.
        forwarded: Whom a proxy names.
        is_proxied: Whether there is one that is to be believed.

    Raises:
        Refused: The name is none.
    """
    if not (is_proxied and forwarded):
        return f"{user} (page)"
    if len(forwarded) > 200 or not forwarded.isprintable():  # noqa: PLR2004 - a name
        raise Refused(400, "the proxy's X-Forwarded-User is no name: up to 200 printable characters")
    return f"{forwarded} (page of {user})"
