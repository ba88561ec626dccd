"""The history of a queue, read from whatever broker has it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tests.batch import eventually
from tests.conformance.broker.steps import complete, fail, row
from warrener.failures import Choice, retry
from warrener.history import HistoryReader, find_row

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.conformance.broker.steps import Open
    from warrener.brokers import Broker


@asynccontextmanager
async def followed(broker: Broker) -> AsyncIterator[HistoryReader]:
    reader = HistoryReader(broker)
    following = asyncio.create_task(reader.follow())
    try:
        yield reader
        assert not following.done()
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def has(reader: HistoryReader, completed: int, failed: int) -> None:
    async def is_so() -> bool:
        history = reader.history
        return history.is_complete and (history.completed.count, history.failed.count) == (completed, failed)

    await eventually(is_so)


async def test_history_has_each_task_once(broker: Broker) -> None:
    # Given tasks that have completed, two of them twice, and one that has failed and one that then completed
    await complete(broker, *(f"t{n}" for n in range(50)))
    await complete(broker, "t7", "t9")
    await fail(broker, "bad", "good")
    await complete(broker, "good")
    # When the history is read
    reader = HistoryReader(broker)
    assert not reader.history.is_complete
    history = await reader.read()
    # Then each of them is there once, and a result outranks a failure
    assert (history.completed.count, history.failed.count) == (51, 1)
    assert (history.read, history.expected, history.is_complete) == (55, 55, True)
    assert history.completed.left_out.duplicates == 2
    # And a row is found by its task
    assert await find_row(broker, history, "t9") == row("t9")
    assert await find_row(broker, history, "good") == row("good")
    assert await find_row(broker, history, "bad") is None


async def test_history_of_nothing_is_complete(broker: Broker) -> None:
    history = await HistoryReader(broker).read()
    assert (history.read, history.expected, history.is_complete) == (0, 0, True)


async def test_followed_history_has_what_comes_and_begins_anew_after_a_purge(
    broker: Broker, open_broker: Open
) -> None:
    await complete(broker, "a", "b")
    async with followed(await open_broker()) as reader:
        await has(reader, 2, 0)
        # What comes is taken in
        await complete(broker, "c")
        await fail(broker, "d", "e")
        await has(reader, 3, 2)
        # A failure that is tried again is none any more
        await retry(broker, Choice(frozenset(["d"])))
        await has(reader, 3, 1)
        # After a purge there is nothing, and then what comes, of the same ids, too
        await broker.purge()
        await has(reader, 0, 0)
        await complete(broker, "a", "b", "c", "f")
        await has(reader, 4, 0)
