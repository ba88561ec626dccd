"""Brokers: where tasks wait, and where results and failures lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warrener.brokers.protocol import (
    Broker,
    Completed,
    Counts,
    Delayed,
    Delivery,
    Depths,
    Failed,
    FailedTask,
    Finding,
    Listener,
    Log,
    Message,
    Outcome,
    PublishSession,
    Verdict,
)
from warrener.errors import UsageError

if TYPE_CHECKING:
    from warrener.address import Address

__all__ = [
    "Broker",
    "Completed",
    "Counts",
    "Delayed",
    "Delivery",
    "Depths",
    "Failed",
    "FailedTask",
    "Finding",
    "Listener",
    "Log",
    "Message",
    "Outcome",
    "PublishSession",
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
            f"{address.shown} is for commands that look, collect and publish: from Python, use the address of the broker "
            "itself; workers run in the cluster: `warrener k8s submit`"
        )
    if address.is_embedded:
        from warrener.brokers.sqlite import SqliteBroker

        return SqliteBroker(address)
    if address.is_in_memory:
        from warrener.brokers.memory import MemoryBroker

        return MemoryBroker(address)
    from warrener.brokers.rabbitmq import RabbitBroker

    return RabbitBroker(address)
