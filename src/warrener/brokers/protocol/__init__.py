"""What the core asks of a broker, by role: publisher, consumer, reader, admin, journal.

RabbitMQ, the embedded broker on SQLite and the one in memory answer. One suite drives every method on all of them, and a
second one whole workers.
"""

from __future__ import annotations

from typing import Protocol, Self

from warrener.brokers.protocol.admin import Admin, Finding
from warrener.brokers.protocol.consumer import (
    DELIVERY_BACKSTOP,
    Completed,
    Consumer,
    Delayed,
    Delivery,
    Depths,
    Failed,
    Identity,
    Listener,
    Lost,
    OnConfirmed,
    Outcome,
)
from warrener.brokers.protocol.journal import Journal, Log
from warrener.brokers.protocol.publisher import Message, Publisher, PublishSession
from warrener.brokers.protocol.reader import BEATS_LAST, Counts, FailedTask, Reader, Verdict

__all__ = [
    "BEATS_LAST",
    "DELIVERY_BACKSTOP",
    "Admin",
    "Broker",
    "Completed",
    "Consumer",
    "Counts",
    "Delayed",
    "Delivery",
    "Depths",
    "Failed",
    "FailedTask",
    "Finding",
    "Identity",
    "Journal",
    "Listener",
    "Log",
    "Lost",
    "Message",
    "OnConfirmed",
    "Outcome",
    "PublishSession",
    "Publisher",
    "Reader",
    "Verdict",
]


class Broker(Publisher, Consumer, Reader, Admin, Journal, Protocol):
    """One queue on one broker, open between `async with` and its end, for one event loop.

    Every method raises `BrokerError` or one of its kinds when the broker cannot do it, and nothing else but what is named
    with it. Any of them may be called while others run. A method that is cancelled has happened or not, unless it says more;
    the broker stays usable.
    """

    async def __aenter__(self) -> Self:
        """Connect. When it raises or is cancelled, nothing is left open."""

    def be_patient(self) -> None:
        """From now on do again what a lost connection interrupts for as long as a worker waits for its broker: a batch goes on."""

    async def __aexit__(self, *_: object) -> None:
        """Disconnect, whatever is under way; deliveries still held come back to the queue, at the cost of a loss.

        What was published or settled and is not confirmed may have arrived or not: `flush` and `settled` come before.
        Calls under way and later ones raise `BrokerError`. A second end is harmless.
        """
