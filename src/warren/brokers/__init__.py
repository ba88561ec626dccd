"""Brokers: where tasks wait, and where results and failures lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.brokers.protocol import (
    Broker,
    Completed,
    Counts,
    Delayed,
    Delivery,
    Failed,
    FailedTask,
    Finding,
    Listener,
    Message,
    Outcome,
    Verdict,
)

if TYPE_CHECKING:
    from warren.settings import Address

__all__ = [
    "Broker",
    "Completed",
    "Counts",
    "Delayed",
    "Delivery",
    "Failed",
    "FailedTask",
    "Finding",
    "Listener",
    "Message",
    "Outcome",
    "Verdict",
    "connect",
]


def connect(address: Address) -> Broker:
    """The broker at an address, to be opened with `async with`."""
    if address.is_embedded:
        from warren.brokers.sqlite import SqliteBroker

        return SqliteBroker(address)
    from warren.brokers.rabbitmq import RabbitBroker

    return RabbitBroker(address)
