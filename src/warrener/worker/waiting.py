"""Since when a task could have begun, for what says how long it waited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from warrener.codec import NOT_JSON

if TYPE_CHECKING:
    from warrener.brokers import Delivery


class _Due(msgspec.Struct):
    ready_at: float | None = None


_dues: Final = msgspec.json.Decoder(_Due)


def ready_at(delivery: Delivery) -> float | None:
    """When it was published, or its retry delay over, in seconds since the epoch; None where nobody knows."""
    if delivery.lost:  # with a worker, and nobody knows when
        return None
    if delivery.record:
        try:
            due = _dues.decode(delivery.record).ready_at
        except NOT_JSON:  # somebody else's
            due = None
        if due is not None:
            return due
    return delivery.published_at
