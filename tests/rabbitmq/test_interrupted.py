"""What a lost connection interrupts is done again, where somebody waits for its answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import pytest

from tests.batch import PATIENCE, drain, publish, task
from tests.chaos.proxy import Proxy, Stage
from warrener.brokers import Verdict, connect
from warrener.brokers.rabbitmq import failures
from warrener.errors import BrokerError
from warrener.orders import Paused, current, give

if TYPE_CHECKING:
    from warrener.address import Address

MANY: Final = 3


async def test_order_whose_confirm_is_lost_is_given_again(
    rabbit_address: Address, far: Address, proxy: Proxy
) -> None:
    await publish(rabbit_address, [])
    async with asyncio.timeout(PATIENCE), connect(far) as broker:
        cut = proxy.cut_at(Stage.BEFORE_CONFIRM)
        await give(broker, Paused("ann@desk", 1.0))
        assert cut.done()
        orders = await current(broker)
    assert orders.paused
    assert orders.paused.by == "ann@desk"


async def test_looks_go_on_over_the_next_connection(
    rabbit_address: Address, far: Address, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "_PAGE", 1)
    await publish(rabbit_address, [task("no such type", f"t{n}") for n in range(MANY)])
    await drain(rabbit_address)
    async with asyncio.timeout(PATIENCE), connect(far) as broker:
        seen = []
        async for found in broker.failures():
            seen.append(found.id)
            assert proxy.cut_all()
        assert sorted(seen) == [f"t{n}" for n in range(MANY)]
        proxy.cut_all()
        assert (await broker.counts()).failed == MANY
        proxy.cut_all()
        await broker.declare([])


async def test_failures_that_are_taken_out_meanwhile_are_not_read_past(
    rabbit_address: Address, far: Address, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "_PAGE", 1)

    async def interrupted() -> None:
        async for _ in broker.failures():
            proxy.cut_all()
            async with connect(rabbit_address) as other:
                await other.sweep(lambda _: Verdict.DISCARD)

    await publish(rabbit_address, [task("no such type", f"t{n}") for n in range(MANY)])
    await drain(rabbit_address)
    async with asyncio.timeout(PATIENCE), connect(far) as broker:
        with pytest.raises(BrokerError, match="read them again"):
            await interrupted()
