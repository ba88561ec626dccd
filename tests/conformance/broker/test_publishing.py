"""The publisher's role: in order, confirmed, each session for itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.batch import eventually
from tests.conformance.broker.steps import RECORD, consume, ids, messages, publish, take
from warrener.brokers import Broker, Message
from warrener.codec import decode_record
from warrener.errors import MessageTooLarge, QueueMissing

if TYPE_CHECKING:
    from tests.conformance.broker.steps import Open

TOO_LARGE = Message(b"x" * 2000, "large")


@pytest.fixture
def narrow(broker: Broker) -> Broker:
    """A broker that takes small messages only."""
    broker.max_body = 1000
    return broker


async def test_messages_come_as_they_were_published(broker: Broker) -> None:
    # Given a message with all that it may have
    message = Message(b"\xff\x00 whatever bytes", "t", 7, RECORD)
    # When it is published
    session = broker.publish_session()
    assert session.confirmed == 0
    await session.publish([message])
    await session.flush()
    # Then it is confirmed, and comes to a consumer byte for byte
    assert session.confirmed == 1
    (delivery,) = (await take(broker, 1)).held
    assert (delivery.body, delivery.id, delivery.priority, delivery.lost) == (message.body, "t", 7, 0)
    assert decode_record(delivery.record) == RECORD


async def test_nothing_is_confirmed_when_nothing_was_published(broker: Broker) -> None:
    session = broker.publish_session()
    await session.publish([])
    await session.flush()
    assert session.confirmed == 0
    assert (await broker.counts()).ready == 0


async def test_messages_keep_their_order(broker: Broker) -> None:
    names = [f"t{n}" for n in range(300)]
    session = broker.publish_session()
    for start in range(0, 300, 50):
        await session.publish(messages(*names[start : start + 50]))
    await session.flush()
    assert ids(await take(broker, 300)) == names


async def test_overlapping_calls_keep_the_order_within_each(broker: Broker) -> None:
    # Given two series that are published over one session at once
    session = broker.publish_session()
    series = [[f"{letter}{n}" for n in range(100)] for letter in "ab"]
    await asyncio.gather(*(session.publish(messages(*names)) for names in series))
    # When each of the callers waits for the end
    await asyncio.gather(session.flush(), session.flush())
    # Then all are confirmed, and each series is in its order
    assert session.confirmed == 200
    found = ids(await take(broker, 200))
    assert [[name for name in found if name[0] == letter] for letter in "ab"] == series


async def test_sessions_count_for_themselves(broker: Broker) -> None:
    # Given two sessions that are the first of their broker, used at once
    sessions = [broker.publish_session() for _ in range(2)]

    async def use(number: int) -> None:
        await sessions[number].publish(messages(*(f"{number}-{n}" for n in range(50 * (number + 1)))))
        await sessions[number].flush()
        # Then whoever flushes finds all of its own confirmed
        assert sessions[number].confirmed == 50 * (number + 1)

    await asyncio.gather(use(0), use(1))
    assert (await broker.counts()).ready == 150


async def test_what_a_session_was_given_is_sent_though_nobody_waits(broker: Broker) -> None:
    await broker.publish_session().publish(messages("a", "b"))

    async def are_there() -> bool:
        return (await broker.counts()).ready == 2

    await eventually(are_there)


async def test_too_large_message_is_told_once_and_what_follows_goes_on(narrow: Broker) -> None:
    # Given a session that is given a message too large among others
    session = narrow.publish_session()
    with pytest.raises(MessageTooLarge, match="large") as raised:  # noqa: PT012 - it may come from either
        await session.publish([*messages("before"), TOO_LARGE, *messages("after")])
        await session.flush()
    assert raised.value.limit == 1000
    # Then what came before is published, and nothing else
    await session.flush()
    assert session.confirmed == 1
    # And the session goes on from there
    await session.publish(messages("next"))
    await session.flush()
    assert session.confirmed == 2
    assert ids(await take(narrow, 2)) == ["before", "next"]


async def test_too_large_message_is_no_error_in_another_session(narrow: Broker) -> None:
    # Given two sessions of which one is given a message too large
    refused, other = narrow.publish_session(), narrow.publish_session()

    async def publish_large() -> None:
        await refused.publish([TOO_LARGE])
        await refused.flush()

    async def publish_small() -> None:
        await other.publish(messages("a", "b"))
        await other.flush()

    # When both publish at once
    ends = await asyncio.gather(publish_large(), publish_small(), return_exceptions=True)
    # Then only that one hears of it
    assert [type(end) for end in ends] == [MessageTooLarge, type(None)]
    assert (refused.confirmed, other.confirmed) == (0, 2)


async def test_error_of_overlapping_calls_comes_once(narrow: Broker) -> None:
    session = narrow.publish_session()
    ends = [
        *await asyncio.gather(
            session.publish([*messages("a"), TOO_LARGE]),
            session.publish(messages("b")),
            return_exceptions=True,
        ),
        *await asyncio.gather(session.flush(), return_exceptions=True),
    ]
    assert [type(end) for end in ends if end] == [MessageTooLarge]
    await session.flush()
    # What is confirmed is there, and the other way round
    assert (await narrow.counts()).ready == session.confirmed


async def test_cancelled_flush_leaves_all_on_its_way(broker: Broker) -> None:
    session = broker.publish_session()
    await session.publish(messages(*(f"t{n}" for n in range(2000))))
    flushing = asyncio.create_task(session.flush())
    await asyncio.sleep(0)
    flushing.cancel()
    await asyncio.gather(flushing, return_exceptions=True)

    await session.flush()

    assert session.confirmed == 2000
    assert (await broker.counts()).ready == 2000


async def test_of_a_cancelled_call_a_beginning_is_published(broker: Broker) -> None:
    # Given a call that has more to publish than may be on its way
    session = broker.publish_session()
    await session.publish(messages("first"))
    publishing = asyncio.create_task(session.publish(messages(*(f"t{n}" for n in range(5000)))))
    await asyncio.sleep(0)
    # When it is cancelled
    publishing.cancel()
    await asyncio.gather(publishing, return_exceptions=True)
    # Then the session goes on, and what was published is a beginning
    await session.publish(messages("last"))
    await session.flush()
    found = ids(await take(broker, session.confirmed))
    assert found == ["first", *(f"t{n}" for n in range(session.confirmed - 2)), "last"]
    assert (await broker.counts()).ready == 0


async def test_consumers_do_not_notice_a_flush(broker: Broker) -> None:
    # Given a consumer that has room
    await publish(broker, "a")
    hands = await take(broker, 1)
    await consume(broker, hands, 3)
    # When somebody else publishes and flushes over the same connection
    await publish(broker, "b")
    await publish(broker, "c")
    # Then it goes on
    await hands.have(3)
    assert ids(hands) == ["a", "b", "c"]


async def test_missing_queue_is_said(open_broker: Open) -> None:
    broker = await open_broker()
    session = broker.publish_session()
    with pytest.raises(QueueMissing, match="warrener setup"):  # noqa: PT012 - it may come from either
        await session.publish(messages("t"))
        await session.flush()
    assert session.confirmed == 0


async def test_broker_that_is_well_gives_no_reason(broker: Broker) -> None:
    await publish(broker, "t")
    assert broker.blocked_reason is None
