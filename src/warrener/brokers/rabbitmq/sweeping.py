"""Looking at failures and taking out those that are wanted."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from warrener.brokers.protocol import FailedTask, Message, Verdict
from warrener.brokers.rabbitmq.condition import Condition
from warrener.brokers.rabbitmq.confirms import ConfirmTracker
from warrener.brokers.rabbitmq.failures import reading
from warrener.brokers.rabbitmq.topology import WORK_KEY
from warrener.errors import AccessRefused, BrokerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from warrener.brokers.rabbitmq.amqp.channel import Channel
    from warrener.brokers.rabbitmq.failures import Reader
    from warrener.brokers.rabbitmq.queue import Queue


async def sweep(queue: Queue, decide: Callable[[FailedTask], Verdict | Message]) -> int:
    """Look at each failure once, and keep it, discard it, or publish it as a message; how many were taken out."""
    connection = await queue.connections.connection()
    async with await connection.channel() as channel, reading(queue) as reader:
        return await _Sweep(queue, channel, reader).run(decide)


class _Sweep:
    """What is being taken out: each is acknowledged once its message is confirmed."""

    def __init__(self, queue: Queue, channel: Channel, reader: Reader) -> None:
        self._queue = queue
        self._channel = channel
        self._reader = reader
        self._taken = 0
        self._waiting: set[int] = set()
        self._refused: BrokerError | None = None
        self._condition = Condition()

    async def run(self, decide: Callable[[FailedTask], Verdict | Message]) -> int:
        tracker = await ConfirmTracker(self._channel).open()
        # A user who may not publish has the channel closed.
        self._channel.watch(lambda _: self._condition.notify())
        try:
            await self._decide(tracker, decide)
        except Exception:
            await self._confirmed()  # what was decided before stays done
            raise
        await self._confirmed()
        if error := self._refused or self._channel.error:
            kind = AccessRefused if isinstance(error, AccessRefused) else BrokerError
            raise kind(f"{self._taken} failed tasks were taken out, then: {error}")
        return self._taken

    async def _decide(
        self, tracker: ConfirmTracker, decide: Callable[[FailedTask], Verdict | Message]
    ) -> None:
        async with aclosing(self._reader.batches()) as batches:
            async for batch in batches:
                for tag, task in batch:
                    if self._channel.error:
                        return
                    verdict = decide(task)
                    if isinstance(verdict, Message):
                        self._publish(tracker, tag, verdict)
                        await asyncio.sleep(0)
                    elif verdict is Verdict.DISCARD:
                        self._on_confirm(tag, None)

    async def _confirmed(self) -> None:
        await self._condition.wait_for(lambda: not self._waiting or self._channel.error is not None)

    def _publish(self, tracker: ConfirmTracker, tag: int, message: Message) -> None:
        self._waiting.add(tag)
        tracker.publish(
            self._queue.names.queue,
            WORK_KEY,
            message.body,
            message_id=message.id,
            priority=message.priority,
            record=message.record,
            trace=message.trace,
            then=self._on_confirm,
            about=tag,
        )

    def _on_confirm(self, tag: int, error: BrokerError | None) -> None:
        self._waiting.discard(tag)
        if error:
            self._refused = self._refused or error
        elif self._reader.take_out(tag):
            self._taken += 1
        self._condition.notify()
