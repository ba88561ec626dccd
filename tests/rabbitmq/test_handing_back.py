"""What a worker gives back to the queue, and when: before it stops, or once there is company."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.batch import PATIENCE, Hands, publish, task
from warrener.brokers import connect
from warrener.brokers.rabbitmq.amqp import channel as channels

if TYPE_CHECKING:
    import pytest

    from warrener.address import Address


async def test_a_pause_that_nobody_waits_for_holds_up_nothing(
    rabbit_address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "ANSWER_TIMEOUT", 10 * PATIENCE)
    await publish(rabbit_address, [task("echo", f"t{n}") for n in range(20)])
    hands = Hands()
    async with connect(rabbit_address) as broker:
        await broker.consume(hands, 20)
        await hands.have(20)
        pausing = asyncio.create_task(broker.pause())
        await asyncio.sleep(0)  # it has asked, and is not answered yet
        pausing.cancel()
        with suppress(asyncio.CancelledError):
            await pausing

        broker.requeue(hands.held)
        async with asyncio.timeout(PATIENCE):
            await broker.settled()

    async with connect(rabbit_address) as broker:
        assert (await broker.counts()).ready == 20


async def test_outcomes_wait_for_company_only_where_enough_is_fetched_ahead(rabbit_address: Address) -> None:
    await publish(rabbit_address, [])
    async with connect(rabbit_address) as broker:
        for prefetch, do_wait in ((1, False), (1000, True), (15, False), (16, True)):
            await broker.consume(Hands(), prefetch)

            assert (broker._connections._connection._frames.corked_for > 0) is do_wait  # type: ignore[attr-defined]
