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
from warren.errors import UsageError

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
    """The broker at an address, to be opened with `async with`.

    Raises:
        UsageError: It is in a cluster, where only what looks and publishes can reach it from outside.
    """
    if address.place is not None:
        raise UsageError(
            f"{address.shown} is for looking, collecting and publishing; workers run in the cluster: `warren k8s submit`"
        )
    if address.is_embedded:
        from warren.brokers.sqlite import SqliteBroker

        return SqliteBroker(address)
    from warren.brokers.rabbitmq import RabbitBroker

    return RabbitBroker(address)
