"""Looking at failures uses none up, whatever an operator's policy says, and however the one who looks leaves."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from tests.batch import drain, eventually, publish, task
from tests.operator import Operator
from tests.place import Place
from warrener.address import Address
from warrener.brokers import FailedTask, Verdict, connect
from warrener.brokers.names import Names
from warrener.brokers.rabbitmq import RabbitBroker, failures

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from warrener.brokers import Broker

MANY = 150  # more than a channel of RabbitMQ's keeps back for a queue


@pytest.fixture(scope="module")
def limited(rabbitmq: tuple[str, str]) -> Iterator[Address]:
    """Failures in a queue that is limited as an operator may limit every one; all look at these, since none takes any."""
    url, management = rabbitmq
    address = Address(url, f"test-{uuid.uuid4().hex[:12]}", management)
    with Operator(url, management).policy(f"{address.queue}([.]failed)?", {"delivery-limit": 3}):
        asyncio.run(_fill(address))
        yield address
    asyncio.run(_delete(address))


async def _fill(address: Address) -> None:
    await publish(address, [task("no such type", f"t{n}") for n in range(MANY)])
    await drain(address)
    async with connect(address) as broker:

        async def is_limited() -> bool:
            assert isinstance(broker, RabbitBroker)
            told = await broker._queue.management.queues()
            return "delivery-limit" in told[Names(address.queue).failed].policy

        await eventually(is_limited)


async def _delete(address: Address) -> None:
    async with connect(address) as broker:
        await broker.delete()


async def _close_early(broker: Broker) -> None:
    async with aclosing(broker.failures()) as found:  # type: ignore[type-var]
        async for _ in found:
            break


async def _let_go(broker: Broker) -> None:
    async for _ in broker.failures():
        break


async def _fail(broker: Broker) -> None:
    async def look() -> None:
        async for _ in broker.failures():
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await look()


async def _fail_to_decide(broker: Broker) -> None:
    def decide(_: FailedTask) -> Verdict:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await broker.sweep(decide)


async def _keep_all(broker: Broker) -> None:
    assert await broker.sweep(lambda _: Verdict.KEEP) == 0


async def _be_cancelled(broker: Broker) -> None:
    has_begun = asyncio.Event()

    async def look() -> None:
        async for _ in broker.failures():
            has_begun.set()
            await asyncio.Event().wait()

    looking = asyncio.create_task(look())
    await has_begun.wait()
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking


async def _be_cancelled_twice(broker: Broker) -> None:
    has_begun = asyncio.Event()

    async def look() -> None:
        async for _ in broker.failures():
            has_begun.set()
            await asyncio.Event().wait()

    looking = asyncio.create_task(look())
    await has_begun.wait()
    looking.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking


@pytest.mark.parametrize(
    "look",
    [_close_early, _let_go, _fail, _fail_to_decide, _keep_all, _be_cancelled, _be_cancelled_twice],
)
async def test_each_may_look_as_often_as_he_likes(limited: Address, look: object) -> None:
    assert callable(look)
    for _ in range(6):
        async with connect(limited) as broker:
            await look(broker)
    async with connect(limited) as broker:
        seen = [found.id async for found in broker.failures()]
    assert sorted(seen) == sorted(f"t{n}" for n in range(MANY))


async def test_command_that_shows_one_leaves_all(limited: Address, tmp_path: Path) -> None:
    with Place(tmp_path, limited) as place:
        for _ in range(6):
            shown = await asyncio.to_thread(place.warrener, "failures", "show", "t7")
            assert shown.returncode == 0, shown.stderr
        listed = await asyncio.to_thread(place.warrener, "failures", "list")
    assert str(MANY) in listed.stdout


@pytest.mark.parametrize(
    "words",
    [("doctor",), ("setup",), ("work", "--exec", "true", "--processes", "1")],
    ids=lambda words: words[0],
)
async def test_limits_of_a_policy_are_told(limited: Address, tmp_path: Path, words: tuple[str, ...]) -> None:
    sentences = [
        (
            f"queue '{limited.queue}.failed': a policy sets delivery-limit = 3, which drops a failure whose readers lost their "
            "connection more than 3 times; have an operator take this queue out of the policy"
        ),
        (
            f"queue '{limited.queue}': a policy sets delivery-limit = 3, which has a task fail as `crashed` once more than 3 of "
            "its deliveries are lost"
        ),
    ]
    with Place(tmp_path, limited) as place:
        if words == ("doctor",):
            told = await asyncio.to_thread(place.warrener, *words)
            assert [sentence for sentence in sentences if sentence not in told.stdout] == []
            return
        command = place.begin(*words)
        for sentence in sentences:
            await command.says(sentence)


async def test_all_are_seen_once_over_many_pages_with_one_consumer(
    rabbit_address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "_PAGE", 20)
    await publish(rabbit_address, [task("no such type", f"t{n}") for n in range(MANY)])
    await drain(rabbit_address)
    seen: list[str] = []
    consumers: set[int] = set()
    async with connect(rabbit_address) as broker, connect(rabbit_address) as other:
        assert isinstance(other, RabbitBroker)
        async for found in broker.failures():
            seen.append(found.id)
            if len(seen) % 30 == 0:
                connection = await other._connections.connection()
                async with await connection.channel() as channel:
                    asked = await channel.call(
                        "queue_declare", Names(rabbit_address.queue).failed, passive=True
                    )
                    consumers.add(asked.consumer_count)
        again = [found.id async for found in broker.failures()]
    assert consumers == {1}
    assert sorted(seen) == sorted(f"t{n}" for n in range(MANY))
    assert again == seen


async def test_sweep_over_many_pages_takes_out_what_it_should(
    rabbit_address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "_PAGE", 20)
    await publish(rabbit_address, [task("no such type", f"t{n}") for n in range(MANY)])
    await drain(rabbit_address)
    looked: list[str] = []

    def decide(found: FailedTask) -> Verdict:
        looked.append(found.id)
        return Verdict.DISCARD if int(found.id[1:]) % 2 else Verdict.KEEP

    async with connect(rabbit_address) as broker:
        assert await broker.sweep(decide) == MANY // 2
        left = [found.id async for found in broker.failures()]
    assert sorted(looked) == sorted(f"t{n}" for n in range(MANY))
    assert sorted(left) == sorted(f"t{n}" for n in range(0, MANY, 2))
