"""What the page does: orders to workers, and failures tried again or dropped; each is written down with who."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from warrener import failures
from warrener.codec import NOT_JSON
from warrener.errors import AccessRefused, UsageError
from warrener.journal import Acted, note
from warrener.orders import Cancelled, Paused, Resumed, current, give
from warrener.web.answers import Refused

if TYPE_CHECKING:
    from warrener.brokers import Broker
    from warrener.web.selections import Selection

_LONGEST_NAME: Final = 200  # characters


class Cancel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `cancel` is given, as `warrener.orders.Cancelled` has it."""

    types: tuple[str, ...] = ()
    running: bool = False


class Take(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `retry` and `discard` are given: what was counted, by its name."""

    selection: str


class Edit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `edit` is given: a failed task, and all of its data."""

    id: str
    data: dict[str, Any]


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


async def retry(broker: Broker, by: str, selection: Selection) -> Done:
    """As `warrener failures retry`, of what was counted."""
    taken = await failures.retry(broker, selection)
    return await _written(broker, Acted("retried", taken.count, by, time.time()))


async def discard(broker: Broker, by: str, selection: Selection) -> Done:
    """As `warrener failures discard`, of what was counted."""
    taken = await failures.discard(broker, selection)
    return await _written(broker, Acted("discarded", taken.count, by, time.time()))


async def edit(broker: Broker, by: str, what: Edit) -> Done:
    """Publish a failed task again with other data. Raises: `UsageError` where it is no task that has data."""
    taken = await failures.retry(broker, failures.Choice(frozenset([what.id])), data=what.data)
    if not taken.count:
        return Done(0, (f"there is no failure of task {what.id!r} any more",))
    return await _written(broker, Acted("edited", taken.count, by, time.time(), what.id))


async def _written(broker: Broker, act: Acted) -> Done:
    """Have the journal say it."""
    try:
        await note(broker, act)
    except AccessRefused:
        return Done(act.count, ("the queue's journal does not say so, since this user may not write it",))
    return Done(act.count)


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
    if len(forwarded) > _LONGEST_NAME or not forwarded.isprintable():
        raise Refused(
            400, f"the proxy's X-Forwarded-User is no name: up to {_LONGEST_NAME} printable characters"
        )
    return f"{forwarded} (page of {user})"
