"""What everything that is done with one queue needs."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from warrener.errors import QueueMissing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warrener.brokers.names import Names
    from warrener.brokers.rabbitmq.journal import Journal
    from warrener.brokers.rabbitmq.management import Management
    from warrener.brokers.rabbitmq.reconnect import Reconnecting


class Queue(NamedTuple):
    """One queue on one RabbitMQ, and the ways to reach it."""

    shown: str
    names: Names
    connections: Reconnecting
    management: Management
    journal: Journal

    async def ready(self, queues: Iterable[str]) -> dict[str, int]:
        """How many messages these of its queues have ready, of those that there are."""
        connection = await self.connections.connection()
        ready: dict[str, int] = {}
        left = [*queues]
        while left:  # over one channel as long as they are there: one that is missing closes it
            with suppress(QueueMissing):
                async with await connection.channel() as channel:
                    while left:
                        queue = left.pop()
                        found = await channel.call("queue_declare", queue, passive=True)
                        ready[queue] = found.message_count
        return ready

    async def existing_delays(self, delays: Iterable[int]) -> list[int]:
        """Those of these retry delays that exist, in milliseconds, shortest first."""
        wanted = sorted({*delays})
        ready = await self.ready(map(self.names.delay, wanted))
        return [delay for delay in wanted if self.names.delay(delay) in ready]
