"""A broker that keeps a connection and says nothing more, as a node does that is cut off from its cluster."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
import pytest

from tests.batch import APP, DELAYS, PATIENCE, eventually, publish, task
from tests.place import Place
from warrener.brokers import connect
from warrener.brokers.rabbitmq import reconnect
from warrener.brokers.rabbitmq.amqp import channel as channels
from warrener.errors import BrokerUnreachable

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chaos.proxy import Proxy
    from warrener.address import Address


@pytest.fixture
def proxy(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Proxy:
    """While it is frozen, answers are not waited for long; a broker on a busy machine may take its time."""
    usual, freeze, thaw = channels.ANSWER_TIMEOUT, proxy.freeze, proxy.thaw

    def impatiently() -> None:
        freeze()
        monkeypatch.setattr(channels, "ANSWER_TIMEOUT", 0.5)

    def patiently() -> None:
        thaw()
        monkeypatch.setattr(channels, "ANSWER_TIMEOUT", usual)

    monkeypatch.setattr(proxy, "freeze", impatiently)
    monkeypatch.setattr(proxy, "thaw", patiently)
    return proxy


@pytest.fixture
def far(far: Address) -> Address:
    """Without heartbeats: they are answered by a node that is cut off, too."""
    there = urlsplit(far.broker)._replace(query="heartbeat=0")
    return msgspec.structs.replace(far, broker=there.geturl())


async def test_what_is_not_confirmed_is_published_again_over_a_new_connection(
    rabbit_address: Address, far: Address, proxy: Proxy
) -> None:
    await publish(rabbit_address, [])
    async with connect(far) as broker:
        session = broker.publish_session()
        await session.publish([task("echo", "before")])
        await session.flush()
        proxy.freeze()
        await session.publish([task("echo", "after")])

        async def is_given_up() -> bool:
            return broker.blocked_reason is not None

        await eventually(is_given_up)
        proxy.thaw()
        await session.flush()
        assert session.confirmed == 2


async def test_a_question_without_an_answer_is_an_error_and_the_next_one_is_asked_anew(
    rabbit_address: Address, far: Address, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconnect, "AGAIN_FOR", 0.0)
    await publish(rabbit_address, [task("echo", "t")])
    async with connect(far) as broker:
        proxy.freeze()
        with pytest.raises(BrokerUnreachable, match=r"cannot be reached: no answer for"):
            async with asyncio.timeout(PATIENCE):
                await broker.delays(DELAYS)
        proxy.thaw()
        assert await broker.delays(DELAYS) == DELAYS


async def test_looking_whether_it_is_drained_takes_nothing(rabbit_address: Address) -> None:
    await publish(rabbit_address, [])
    async with connect(rabbit_address) as broker:
        await broker.delays(DELAYS)
        assert await broker.drained()
        channel = await (await broker._connections.connection()).channel()  # type: ignore[attr-defined]
        assert await channel.is_empty(rabbit_address.queue)
        session = broker.publish_session()
        await session.publish([task("echo", "t")])
        await session.flush()
        assert not await channel.is_empty(rabbit_address.queue)
        await channel.close()
        assert not await broker.drained()
        assert (await broker.counts()).ready == 1


async def test_worker_told_to_stop_while_it_connects_does_not_begin(
    far: Address, proxy: Proxy, tmp_path: Path
) -> None:
    proxy.freeze()
    with Place(tmp_path, far) as place:
        worker = place.begin("work", APP)

        async def is_connecting() -> bool:
            return proxy.connections > 0

        await eventually(is_connecting)
        worker.process.send_signal(signal.SIGTERM)
        proxy.thaw()

        assert worker.end() == 75, worker.said
    assert worker.said == ""
