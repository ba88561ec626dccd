"""A row that takes long to come, as a large one does over a slow line: it is not taken for the end of the stream."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from tests.batch import PATIENCE, eventually
from tests.conformance.broker.steps import complete
from warrener.brokers import connect
from warrener.brokers.rabbitmq import RabbitBroker, stream
from warrener.brokers.rabbitmq.amqp import channel
from warrener.brokers.rabbitmq.amqp.connection import Connection
from warrener.brokers.rabbitmq.amqp.frames import Frames

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from warrener.address import Address
    from warrener.brokers import Broker


_OFTEN: Final = 5
_LARGE: Final = b'{"task_id":"t","value":"%b"}' % (b"x" * 2_000_000)


class _Gate:
    """Lets a half of a large row through, or as much as is said, and the rest once it opens."""

    def __init__(self, frames: Frames, monkeypatch: pytest.MonkeyPatch, most: int = len(_LARGE) // 2) -> None:
        self._most = most
        self.held = b""
        self._came = 0
        self._take = frames._on_data_available
        self._is_open = False
        monkeypatch.setattr(frames, "_on_data_available", self._on_data)

    def open(self) -> None:
        self._is_open = True
        self._take(self.held)

    def _on_data(self, data: bytes) -> None:
        self._came += len(data)
        if self._is_open or self._came < self._most:
            self._take(data)
        else:
            self.held += data


async def test_answer_behind_a_large_message_is_waited_for_as_long_as_that_goes_on(
    rabbit_address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Frames] = []

    def goes_on(frames: Frames) -> bool:
        looks.append(frames)
        frames.bytes_received += 1  # one more byte of it
        return True

    async def has_waited() -> bool:
        return len(looks) > _OFTEN

    async with asyncio.timeout(PATIENCE), connect(rabbit_address) as broker:
        assert isinstance(broker, RabbitBroker)
        await broker.declare([])
        connection = await broker._connections.connection()
        async with await connection.channel() as open_channel:
            assert connection._frames
            gate = _Gate(connection._frames, monkeypatch, most=0)
            monkeypatch.setattr(channel, "ANSWER_TIMEOUT", 0.02)
            monkeypatch.setattr(Frames, "is_arriving", property(goes_on))
            asking = asyncio.create_task(
                open_channel.call("queue_declare", rabbit_address.queue, passive=True)
            )
            await eventually(has_waited)
            gate.open()
            assert (await asking).queue == rabbit_address.queue


async def test_what_has_come_in_part_is_waited_for(
    rabbit_address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Connection] = []
    heard: list[Sequence[bytes]] = []

    def is_arriving(connection: Connection) -> bool:
        looks.append(connection)
        return connection._frames is not None and connection._frames.is_arriving

    async def follow(broker: Broker) -> None:
        async with aclosing(broker.results(follow=True)) as rows:  # type: ignore[type-var] # every broker has a generator
            async for batch in rows:
                heard.append(batch)  # noqa: PERF401 - as they come

    async def has_heard() -> bool:
        return bool(heard)

    async def has_waited() -> bool:
        return len(looks) > _OFTEN or bool(heard)

    async with asyncio.timeout(PATIENCE), connect(rabbit_address) as broker, connect(rabbit_address) as other:
        # Given a follower that has read all there is
        assert isinstance(broker, RabbitBroker)
        await broker.declare([])
        following = asyncio.create_task(follow(broker))
        await eventually(has_heard)
        connection = await broker._connections.connection()
        assert connection._frames
        gate = _Gate(connection._frames, monkeypatch)

        # When half of a row has come
        await complete(other, "t", row=lambda _: _LARGE)

        async def is_half() -> bool:
            return bool(gate.held)

        await eventually(is_half)
        heard.clear()
        monkeypatch.setattr(stream, "_IDLE", 0.02)
        monkeypatch.setattr(Connection, "is_arriving", property(is_arriving), raising=False)
        await eventually(has_waited)

        # Then it is not told that nothing more is there
        assert heard == []
        gate.open()
        await eventually(has_heard)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    assert heard[0] == [_LARGE]
