"""How many tasks are taken after a reconnection is what was asked for last, whenever that was."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.batch import PATIENCE, Hands, eventually, publish
from tests.rabbitmq.cutting import cut
from warrener.brokers import connect
from warrener.brokers.rabbitmq.amqp.channel import Channel

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from warrener.address import Address
    from warrener.brokers import Broker


class Held:
    """A channel's calls of one method, which wait until they are let go."""

    def __init__(self, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.has_come = asyncio.Event()
        self.may_go = asyncio.Event()
        call = Channel.call

        async def held(channel: Channel, name: str, /, *args: Any, **kwargs: Any) -> Any:
            if name == method:
                self.has_come.set()
                await self.may_go.wait()
            return await call(channel, name, *args, **kwargs)

        monkeypatch.setattr(Channel, "call", held)


async def asked_in_the_round_trip(
    broker: Broker, method: str, ask: Coroutine[Any, Any, None], monkeypatch: pytest.MonkeyPatch
) -> asyncio.Task[None]:
    """Cut the connection, and ask while this method of the next one has no answer yet."""
    held = Held(method, monkeypatch)
    cut(broker)
    async with asyncio.timeout(PATIENCE):
        await held.has_come.wait()
    asking = asyncio.create_task(ask)
    await asyncio.sleep(0)
    held.may_go.set()
    return asking


async def until_connected(broker: Broker) -> None:
    """Wait until all is as it was before the cut."""

    async def is_mended() -> bool:
        return not broker._connections._mending  # type: ignore[attr-defined]

    await eventually(is_mended)


@pytest.mark.parametrize("method", ["basic_qos", "basic_consume"])
@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_pause_is_one(
    rabbit_address: Address, monkeypatch: pytest.MonkeyPatch, method: str, *, is_cancelled: bool
) -> None:
    await publish(rabbit_address, [])
    async with connect(rabbit_address) as broker, connect(rabbit_address) as other:
        await broker.consume(Hands(), 1)

        pausing = await asked_in_the_round_trip(broker, method, broker.pause(), monkeypatch)
        if is_cancelled:
            pausing.cancel()
        await asyncio.gather(pausing, return_exceptions=True)
        await until_connected(broker)

        assert (await other.counts()).workers == 0


@pytest.mark.parametrize("method", ["basic_qos", "basic_consume"])
async def test_another_prefetch_takes_the_place_of_the_former(
    rabbit_address: Address, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    await publish(rabbit_address, [])
    hands = Hands()
    async with connect(rabbit_address) as broker, connect(rabbit_address) as other:
        await broker.consume(hands, 100)

        await (await asked_in_the_round_trip(broker, method, broker.consume(hands, 2), monkeypatch))
        await until_connected(broker)

        assert (await other.counts()).workers == 1
