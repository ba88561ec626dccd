"""A line over which a large message takes its time: its confirm is waited for as long as anything moves."""

from __future__ import annotations

import asyncio
from socket import SO_RCVBUF, SOL_SOCKET
from typing import TYPE_CHECKING, Final

from tests.batch import eventually, publish, task
from warrener.brokers import connect
from warrener.brokers.rabbitmq import RabbitBroker, confirms
from warrener.brokers.rabbitmq.amqp.connection import Connection

if TYPE_CHECKING:
    import pytest

    from tests.chaos.proxy import Proxy
    from warrener.address import Address

_LARGE: Final = "x" * 15_000_000
_SMALL: Final = 1 << 16


async def test_connection_is_let_go_of_only_where_nothing_of_a_message_goes_out(
    rabbit_address: Address, far: Address, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped: list[float] = []
    monkeypatch.setattr(Connection, "drop", lambda _, silent_for: dropped.append(silent_for))
    await publish(rabbit_address, [])
    async with connect(far) as broker:
        # Given a message that is on its way
        assert isinstance(broker, RabbitBroker)
        session = broker.publish_session()
        await session.publish([task("echo", "before")])
        await session.flush()
        frames = (await broker._connections.connection())._frames
        tracker = broker._publishing._tracker if broker._publishing else None
        assert frames
        assert tracker
        proxy.freeze()
        for wire in proxy.wires:
            wire._client._transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_RCVBUF, _SMALL)
        await session.publish([task("echo", "large", text=_LARGE)])
        tracker._on_timer()

        # When some of it goes out between two looks, then the connection is kept
        for _ in range(2 * confirms._LOOKS):
            before, end = frames.outgoing
            assert before < end

            while frames.outgoing[0] == before:
                proxy.thaw()
                proxy.freeze()
                await asyncio.sleep(0)
            tracker._on_timer()
        assert dropped == []

        # When nothing does any more, then it is not
        async def is_still(sent: list[int] = [0]) -> bool:  # noqa: B006 - what it saw last
            sent.append(frames.outgoing[0])
            return sent[-1] == sent[-2]

        await eventually(is_still)
        for _ in range(confirms._LOOKS + 1):
            tracker._on_timer()
        assert dropped
        proxy.thaw()
        await session.flush()
        assert session.confirmed == 2
