"""Rows in packs: counted, found, purged and kept as others are."""

from __future__ import annotations

import asyncio
import gzip
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import pika
import pytest

from tests.batch import PATIENCE, Hands, eventually
from tests.conformance.broker.steps import DELAYS, consume, publish, row, rows, take
from tests.rabbitmq.cutting import cut
from warrener.brokers import Broker, Completed, connect
from warrener.brokers.rabbitmq import RabbitBroker, packing, row_count, settling
from warrener.brokers.rabbitmq.amqp.channel import Channel
from warrener.brokers.rabbitmq.packing import ROWS
from warrener.brokers.rabbitmq.stream_ends import stream_end
from warrener.errors import BrokerUnreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from pika.adapters.blocking_connection import BlockingChannel

    from warrener.address import Address
    from warrener.brokers.rabbitmq.amqp.connection import Connection

MANY: Final = 8 * ROWS + 3
NAMES: Final = [f"t{number:03}" for number in range(MANY)]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any rows come quickly enough to be packed."""
    monkeypatch.setattr(packing, "WITHIN", 1e9)
    monkeypatch.setattr(RabbitBroker, "settling", 0)


@pytest.fixture
async def broker(rabbit_address: Address) -> AsyncIterator[Broker]:
    """An open broker with a queue."""
    async with connect(rabbit_address) as opened:
        await opened.declare(DELAYS)
        yield opened


@pytest.fixture
def channel(rabbit_address: Address) -> Iterator[BlockingChannel]:
    """Of a plain AMQP program."""
    connection = pika.BlockingConnection(pika.URLParameters(rabbit_address.broker))
    yield connection.channel()
    connection.close()


async def settle_many(broker: Broker) -> Hands:
    """Have tasks end with rows at the same time."""
    await publish(broker, *NAMES)
    hands = await take(broker, MANY)
    await broker.pause()
    for delivery in hands.held:
        broker.settle(delivery, Completed(row(delivery.id)))
    return hands


def bodies(channel: BlockingChannel, stream: str) -> list[bytes]:
    """The messages of a stream that has all rows, and one more."""
    channel.basic_qos(prefetch_count=MANY + 1)
    found: list[bytes] = []
    for method, _, body in channel.consume(
        stream, arguments={"x-stream-offset": "first"}, inactivity_timeout=PATIENCE
    ):
        assert method, "the stream ended early"
        found.append(body)
        if sum(ROWS if is_pack(one) else 1 for one in found) == MANY + 1:
            break
    channel.cancel()
    return found


def is_pack(body: bytes) -> bool:
    return body.startswith(b"\x1f\x8b")


async def test_rows_in_packs_are_read_counted_and_found_as_others(
    broker: Broker, rabbit_address: Address, channel: BlockingChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given rows of which most went in packs, and one that somebody else wrote among them
    await settle_many(broker)
    await broker.settled()
    channel.basic_publish(f"{rabbit_address.queue}.outcomes", "results", b'{\n"strange": 1}')
    expected = [*map(row, NAMES), b'{\n"strange": 1}']

    async def has_all() -> bool:
        return (await broker.counts()).completed == MANY + 1

    await eventually(has_all)
    # Then each is read once, in order
    assert await rows(broker) == expected
    assert [*await broker.newest_results(5)] == expected[-5:]
    for place in (0, 1, 2 * ROWS + 7, MANY - 2):
        assert [*await broker.results_at(place, 3)] == expected[place : place + 3]
    assert [*await broker.newest_results(MANY - 2)] == expected[3:]
    assert [*await broker.completed_at([1, time.time() + 1000])] == [0, MANY + 1]
    # And who has read all of them knows how many they are
    with monkeypatch.context() as patch:
        patch.delattr("warrener.brokers.rabbitmq.row_count._count_last")
        assert (await broker.counts()).completed == MANY + 1
    # And a plain program reads packs as lines of JSON
    packs = [body for body in bodies(channel, f"{rabbit_address.queue}.results") if is_pack(body)]
    assert len(packs) >= 4
    lines = [line for body in packs for line in gzip.decompress(body).split(b"\n")]
    assert len(lines) == len(packs) * ROWS
    assert {*lines} < {*expected}
    # And all of it can be purged
    assert await broker.purge() == MANY + 1
    assert (await broker.counts()).completed == 0
    assert await rows(broker) == []


async def test_queue_without_packs_is_counted_exactly_and_none_is_waited_for(
    broker: Broker, rabbit_address: Address, channel: BlockingChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange, asked = f"{rabbit_address.queue}.outcomes", list[str]()
    channel.confirm_delivery()
    body = packing.pack([*map(row, NAMES[:ROWS])])
    assert body

    async def end(connection: Connection, stream: str, *, patience: float = 0.5) -> int:
        asked.append(stream)
        return await stream_end(connection, stream, patience=patience)

    async def completed(*more: bytes) -> int:
        for message in more:
            channel.basic_publish(exchange, "results", message)
        return (await broker.counts()).completed

    monkeypatch.setattr(row_count, "stream_end", end)
    # Given rows that came one by one
    assert [await completed(*map(row, NAMES[:5])), await completed(), await completed(row("more"))] == [
        5,
        5,
        6,
    ]
    assert {*asked} == {f"{rabbit_address.queue}.results"}
    # And a pack, which the broker may count seconds later
    channel.basic_publish(exchange, "results.packed", body)
    assert [await completed(), await completed(row("and more"))] == [6 + ROWS, 7 + ROWS]
    # And after a purge by somebody else
    async with connect(rabbit_address) as other:
        await other.purge()
    assert await completed(*map(row, NAMES[:9])) == 9
    channel.basic_publish(exchange, "results.packed", body)
    assert await completed() == 9 + ROWS
    # And where there are too many to be read, or they are too large
    async with connect(rabbit_address) as other:
        await other.purge()
    monkeypatch.setattr(row_count, "_FEW", 3)
    assert [await completed(*map(row, NAMES[:8])), await completed(row("more"))] == [8, 9]
    monkeypatch.setattr(row_count, "_SMALL", 3)
    assert await completed(row("large"), row("larger")) == 11


async def test_queue_that_is_older_than_packs_gets_its_rows_one_by_one(
    broker: Broker, rabbit_address: Address, channel: BlockingChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "_PACK_AGAIN_AFTER", 0)
    name = rabbit_address.queue
    channel.exchange_delete(f"{name}.results.packed")
    channel.queue_delete(f"{name}.results.packed")

    await settle_many(broker)
    await broker.settled()

    assert (await broker.counts()).completed == MANY
    assert sorted(await rows(broker)) == [*map(row, NAMES)]
    # And in packs once it has the stream for them
    await broker.declare(DELAYS)
    await settle_many(broker)
    await broker.settled()
    assert isinstance(broker, RabbitBroker)
    assert await stream_end(await broker._connections.connection(), f"{name}.results.packed")
    assert (await broker.counts()).completed == 2 * MANY


async def test_no_row_is_lost_while_a_purge_has_deleted_one_stream_and_not_the_other(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a purge that is interrupted between the two
    call, deleted = Channel.call, 0

    async def interrupted(channel: Channel, method: str, /, *args: object, **kwargs: object) -> object:
        nonlocal deleted
        deleted += method == "queue_delete"
        if deleted == 2:
            raise BrokerUnreachable("cut")
        return await call(channel, method, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Channel, "call", interrupted)
        with pytest.raises(BrokerUnreachable):
            await broker.purge()
    # When rows go in packs all the same
    await settle_many(broker)
    await broker.settled()
    # Then none of them is gone
    assert sorted(await rows(broker)) == [*map(row, NAMES)]
    # And the next purge ends what was begun
    await broker.purge()
    assert await rows(broker) == []
    assert (await broker.counts()).completed == 0


async def test_packs_are_kept_and_counted_or_neither_while_a_purge_makes_the_streams_anew(
    broker: Broker, rabbit_address: Address, channel: BlockingChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a queue with bindings of before there was an exchange for both streams, too
    name, body = rabbit_address.queue, packing.pack([*map(row, NAMES[:ROWS])])
    assert body
    for stream in ("results", "results.packed"):
        channel.queue_bind(f"{name}.{stream}", f"{name}.outcomes", "results.packed")
    channel.confirm_delivery()
    call = Channel.call

    async def interrupted(self: Channel, method: str, /, *args: object, **kwargs: object) -> object:
        answer = await call(self, method, *args, **kwargs)
        channel.basic_publish(f"{name}.outcomes", "results.packed", body)  # and wait until it is there
        return answer

    # When a pack comes after each step of a purge, and one before
    channel.basic_publish(f"{name}.outcomes", "results.packed", body)
    assert (await broker.counts()).completed == ROWS
    with monkeypatch.context() as patch:
        patch.setattr(Channel, "call", interrupted)
        await broker.purge()
    # Then all that are kept are counted, also by whoever reads none of them
    monkeypatch.setattr(row_count, "_FEW", 0)
    completed = (await broker.counts()).completed
    assert completed == len(await rows(broker))
    assert completed >= ROWS


async def test_rows_of_a_pack_whose_connection_is_cut_are_told_with_their_outcomes(broker: Broker) -> None:
    # Given rows on their way, some in packs and some waiting for company
    hands = await settle_many(broker)
    unsettled = broker.unsettled
    assert unsettled > ROWS
    # When the connection is cut before any of them is confirmed
    cut(broker)

    async def is_told() -> bool:
        return bool(hands.settled)

    await eventually(is_told)
    # Then each is told once, with its row, and settled by that when it comes again
    outcomes = {lost.identity: lost.outcome for lost in hands.settled}
    assert len(hands.settled) == len(outcomes) == MANY
    again = Hands()
    await consume(broker, again, MANY)
    await again.have(MANY)
    for delivery in again.held:
        outcome = outcomes[delivery.identity]
        assert outcome == Completed(row(delivery.id))
        broker.settle(delivery, outcome)
    await broker.settled()
    assert {*await rows(broker)} == {*map(row, NAMES)}


async def test_who_follows_rows_counts_none_after_a_purge_and_then_those_that_come(
    broker: Broker, rabbit_address: Address
) -> None:
    async with connect(rabbit_address) as other:
        assert isinstance(other, RabbitBroker)
        found, expected = list[bytes](), MANY

        async def follow() -> None:
            async with aclosing(other.results(follow=True)) as batches:  # type: ignore[type-var]
                async for new in batches:
                    found.extend(new)

        async def has_read_all() -> bool:
            return len(found) == expected

        async def has_found_it_empty() -> bool:
            return other._offsets.end.messages == 0

        following = asyncio.create_task(follow())
        try:
            # Given somebody who follows rows, of which most came in packs
            await settle_many(broker)
            await broker.settled()
            await eventually(has_read_all)
            # When all is purged, then there are none
            await broker.purge()
            await eventually(has_found_it_empty)
            assert (await other.counts()).completed == 0
            # And what comes then is counted and found
            await settle_many(broker)
            await broker.settled()
            expected = 2 * MANY
            await eventually(has_read_all)
            assert (await other.counts()).completed == MANY
            assert [*await other.results_at(MANY - 2, 3)] == [*map(row, NAMES[-2:])]
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
