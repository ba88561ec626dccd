"""Of large rows few are on their way at a time."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

import pytest

from tests.conformance.broker.steps import complete
from warrener.brokers import connect
from warrener.brokers.rabbitmq import rows as row_reading
from warrener.brokers.rabbitmq import stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warrener.address import Address
    from warrener.brokers import Broker

_LARGE: Final = 200_000
_AHEAD: Final = 5 * _LARGE
_SMALL: Final = 10_000  # too large for packs


@pytest.fixture
async def broker(rabbit_address: Address, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Broker]:
    """One for which five large rows are much."""
    monkeypatch.setattr(stream, "_AHEAD", _AHEAD)
    async with connect(rabbit_address) as broker:
        await broker.declare([])
        yield broker


async def _completed(broker: Broker, *sizes: int) -> list[bytes]:
    rows = {
        f"t{n:03}": b'{"task_id":"t%03d","value":"%b"}' % (n, b"x" * size) for n, size in enumerate(sizes)
    }
    for _, names in groupby(rows, key=lambda name: len(rows[name])):
        await complete(broker, *names, row=rows.__getitem__)
    return [*rows.values()]


async def test_no_more_are_sent_than_are_wanted(broker: Broker) -> None:
    rows = await _completed(broker, *[_LARGE] * 30)
    batches = []
    async for batch in broker.results():
        batches.append(batch)
        await broker.counts()  # while more may come over the same connection
    assert [row for batch in batches for row in batch] == rows
    assert max(sum(map(len, batch)) for batch in batches) <= _AHEAD


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param([_LARGE] * 30 + [_SMALL], id="the last one is small"),
        pytest.param([_SMALL] * 100 + [_LARGE], id="the last one is large"),
        pytest.param(([_SMALL] * 70 + [_LARGE] * 12) * 3, id="by turns"),
    ],
)
async def test_rows_of_several_sizes_come_once_and_in_order(broker: Broker, sizes: list[int]) -> None:
    rows = await _completed(broker, *sizes)
    found: list[bytes] = []
    async for batch in broker.results(follow=True):
        found += batch
        await broker.counts()
        if not batch:
            break
    assert found == rows


async def test_newest_rows_are_fewer_where_these_are_enough(broker: Broker) -> None:
    rows = await _completed(broker, *[_LARGE] * 10)
    assert [*await broker.newest_results(8, enough=3 * _LARGE)] == rows[-2:]
    assert [*await broker.newest_results(8)] == rows[-8:]


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param([_LARGE] * 30 + [_SMALL], id="the last one is small"),
        pytest.param([_SMALL] * 150 + [_LARGE], id="the last one is large"),
    ],
)
async def test_newest_rows_have_about_enough_bytes_however_large_the_last_one_is(
    broker: Broker, sizes: list[int]
) -> None:
    rows = await _completed(broker, *sizes)
    found = [*await broker.newest_results(500, enough=_AHEAD)]
    assert found == rows[-len(found) :]
    assert _AHEAD / 2 <= sum(map(len, found)) <= 2 * _AHEAD


async def test_rows_from_a_place_on_are_fewer_where_they_are_large(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_reading, "_MUCH", 3 * _LARGE)
    rows = await _completed(broker, *[_LARGE] * 30)
    for place in (0, 1, 20):
        found = [*await broker.results_at(place, 8)]
        assert found == rows[place : place + len(found)]
        assert 3 <= len(found) < 8
