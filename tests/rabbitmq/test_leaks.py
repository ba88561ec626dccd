"""Whatever is cancelled leaves no channel open."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.batch import Hands, drain, eventually, publish, task
from warrener.brokers import Verdict, connect
from warrener.brokers.rabbitmq import RabbitBroker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from warrener.address import Address


async def _read(broker: RabbitBroker) -> None:
    async for _ in broker.results():
        pass


async def _follow(broker: RabbitBroker) -> None:
    async for _ in broker.results(follow=True):
        pass


async def _look(broker: RabbitBroker) -> None:
    async for _ in broker.failures():
        pass


async def _sweep(broker: RabbitBroker) -> None:
    await broker.sweep(lambda _: Verdict.KEEP)


async def _count(broker: RabbitBroker) -> None:
    await broker.counts()


async def _is_drained(broker: RabbitBroker) -> None:
    await broker.drained()


async def _declare(broker: RabbitBroker) -> None:
    await broker.declare([1000, 77])


async def _ask_for_delays(broker: RabbitBroker) -> None:
    await broker.delays([1000, 1234])


async def _purge(broker: RabbitBroker) -> None:
    await broker.purge()


@pytest.mark.parametrize(
    "act", [_read, _follow, _look, _sweep, _count, _is_drained, _declare, _ask_for_delays, _purge]
)
async def test_nothing_stays_open_of_what_is_cancelled_anywhere(
    rabbit_address: Address, act: Callable[[RabbitBroker], Awaitable[None]]
) -> None:
    await publish(rabbit_address, [task("echo", "a"), task("no such type", "b")])
    await drain(rabbit_address)
    async with connect(rabbit_address) as broker:
        assert isinstance(broker, RabbitBroker)
        await broker.delays([])
        for turns in (0, 1, 2, 3, 5, 8, 13, 21, 34):
            acting = asyncio.ensure_future(act(broker))
            for _ in range(turns):
                await asyncio.sleep(0.001)
            acting.cancel()
            with suppress(asyncio.CancelledError):
                await acting
        await eventually(lambda: _has_channels(broker, 0))


async def test_role_whose_attaching_is_cancelled_leaves_no_channel(rabbit_address: Address) -> None:
    await publish(rabbit_address, [])
    async with connect(rabbit_address) as broker:
        assert isinstance(broker, RabbitBroker)
        await broker.delays([])
        for turns in range(6):
            beginning = asyncio.ensure_future(broker.consume(Hands(), 1))
            for _ in range(turns):
                await asyncio.sleep(0.001)
            if beginning.done():
                break
            beginning.cancel()
            with suppress(asyncio.CancelledError):
                await beginning
        await broker.consume(Hands(), 1)
        await eventually(lambda: _has_channels(broker, 1))


async def _has_channels(broker: RabbitBroker, count: int) -> bool:
    connection = await broker._connections.connection()
    assert connection._frames
    return len(connection._frames._channels) == count
