"""Items come into the event loop as they are there, whatever the iterable does meanwhile."""

from __future__ import annotations

import asyncio
import threading
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from tests.batch import PATIENCE, eventually
from warrener.bridge import _AHEAD, CHUNK, Bridge, chunks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


async def test_items_of_a_blocking_iterable_come_before_it_ends() -> None:
    gate = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        assert gate.wait(PATIENCE)
        yield 2

    found = Bridge(items()).start().chunks()

    assert await anext(found) == [1]
    gate.set()
    assert await _all(found) == [2]


async def test_items_of_an_idle_async_iterable_come_before_it_ends() -> None:
    gate = asyncio.Event()

    async def items() -> AsyncIterator[int]:
        yield 1
        yield 2
        await gate.wait()
        yield 3

    found = chunks(items())

    assert await anext(found) == [1, 2]
    gate.set()
    assert await _all(found) == [3]


@pytest.mark.parametrize("kind", ["plain", "thread", "async"])
async def test_chunks_keep_the_order_and_are_bounded(kind: str) -> None:
    sizes, items = [], []
    async for chunk in chunks(_of(kind, range(3 * CHUNK + 1))):
        sizes.append(len(chunk))
        items += chunk
    assert items == list(range(3 * CHUNK + 1))
    assert max(sizes) <= CHUNK


@pytest.mark.parametrize("kind", ["plain", "thread", "async"])
async def test_nothing_gives_no_chunk(kind: str) -> None:
    assert await _all(chunks(_of(kind, []))) == []


@pytest.mark.parametrize("kind", ["thread", "async"])
async def test_nothing_in_particular_is_an_item_too(kind: str) -> None:
    async with asyncio.timeout(PATIENCE):
        assert await _all(chunks(_of(kind, [None, 0, None]))) == [None, 0, None]


@pytest.mark.parametrize("kind", ["thread", "async"])
async def test_error_is_raised_after_what_came_before_it(kind: str) -> None:
    def items() -> Iterator[int]:
        yield from range(CHUNK + 1)
        raise OSError("the file is gone")

    came: list[int] = []
    with pytest.raises(OSError, match="the file is gone"):
        await _add(came, chunks(_of(kind, items())))

    assert came == list(range(CHUNK + 1))


async def test_reading_ends_when_nobody_wants_more() -> None:
    bridge = Bridge(count())
    thread = threading.Thread(target=bridge.read, daemon=True)
    thread.start()

    async for chunk in bridge.chunks():
        assert chunk[0] == 0
        break
    bridge.close()

    await asyncio.to_thread(thread.join, PATIENCE)
    assert not thread.is_alive()


async def test_closing_the_chunks_closes_the_feed() -> None:
    bridge = Bridge(count())
    thread = threading.Thread(target=bridge.read, daemon=True)
    thread.start()
    found: Any = bridge.chunks()
    await anext(found)

    await found.aclose()

    await asyncio.to_thread(thread.join, PATIENCE)
    assert not thread.is_alive()


async def test_no_more_than_a_few_chunks_are_read_ahead() -> None:
    read = used = most_ahead = 0

    def items() -> Iterator[int]:
        nonlocal read, most_ahead
        for number in range(3 * _AHEAD):
            read += 1
            most_ahead = max(most_ahead, read - used)
            yield number

    bridge = Bridge(items()).start()

    async def is_full() -> bool:
        return read == used + _AHEAD + 1  # one is in the reader's hand

    await eventually(is_full)
    async for chunk in bridge.chunks():
        used += len(chunk)
        if used <= _AHEAD:
            await eventually(is_full)
    assert used == 3 * _AHEAD
    assert most_ahead <= _AHEAD + CHUNK + 1  # a chunk counts as used only when it is here


async def _all(found: AsyncIterator[list[Any]]) -> list[Any]:
    items: list[Any] = []
    await _add(items, found)
    return items


async def _add(items: list[Any], found: AsyncIterator[list[Any]]) -> None:
    async for chunk in found:
        items += chunk


def _of(kind: str, items: Any) -> Any:
    """The same items, from each kind of iterable."""

    async def slowly() -> AsyncIterator[Any]:
        for item in items:
            yield item

    return {"plain": lambda: items, "thread": lambda: Bridge(items).start(), "async": slowly}[kind]()
