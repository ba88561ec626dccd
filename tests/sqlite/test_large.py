"""Of large rows few are in memory at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import pytest

from tests.batch import PATIENCE
from tests.conformance.broker.steps import complete, fail, failed
from warrener.brokers import connect
from warrener.brokers.sqlite import reading

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warrener.address import Address
    from warrener.brokers import Broker

_NAMES: Final = [f"t{n}" for n in range(10)]
_SIZE: Final = 1000


def _row(name: str) -> bytes:
    return b'{"task_id":"%b","value":"%b"}' % (name.encode(), b"x" * _SIZE)


@pytest.fixture
async def broker(sqlite_address: Address, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Broker]:
    """One for which three rows are much."""
    monkeypatch.setattr(reading, "PAGE_BYTES", 3 * _SIZE)
    async with connect(sqlite_address) as broker:
        await broker.declare([])
        yield broker


async def test_results_are_read_a_few_at_a_time(broker: Broker) -> None:
    await complete(broker, *_NAMES, row=_row)
    pages = [page async for page in broker.results()]
    assert [row for page in pages for row in page] == [_row(name) for name in _NAMES]
    assert max(map(len, pages)) <= 3


async def test_rows_that_are_larger_than_a_page_are_read_to_the_last(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PAGE_BYTES", 1)
    await complete(broker, *_NAMES, row=_row)
    assert [row async for page in broker.results() for row in page] == [_row(name) for name in _NAMES]
    async with asyncio.timeout(PATIENCE):
        found: list[bytes] = []
        async for page in broker.results(follow=True):
            found += page
            if not page:
                break
    assert found == [_row(name) for name in _NAMES]


async def test_newest_rows_are_fewer_where_these_are_enough(broker: Broker) -> None:
    await complete(broker, *_NAMES, row=_row)
    assert [*await broker.newest_results(8, enough=3 * _SIZE)] == [_row(name) for name in _NAMES[-3:]]
    assert [*await broker.newest_results(8)] == [_row(name) for name in _NAMES[-8:]]
    assert [*await broker.results_at(1, 8)] == [_row(name) for name in _NAMES[1:4]]


async def test_failures_are_read_to_the_last(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PAGE_BYTES", 1)
    await fail(broker, *_NAMES)
    assert [*await failed(broker)] == _NAMES
