"""Packs of rows: what goes in comes out, and a row never waits for nobody."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warrener.brokers.protocol import Completed, Delivery
from warrener.brokers.rabbitmq import packing
from warrener.brokers.rabbitmq.packing import ROWS, Packing, Row, is_packable, pack, unpack
from warrener.brokers.rabbitmq.rows import Offsets

if TYPE_CHECKING:
    from collections.abc import Sequence


def row(number: int) -> Row:
    return Row(Delivery(b"", str(number), None, None, 0, number), Completed(b"%d" % number))


class Clock:
    """A loop's clock that stands still until it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now)


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@given(st.lists(st.binary(max_size=200).filter(is_packable), min_size=ROWS, max_size=ROWS))
def test_what_is_packed_is_unpacked(rows: list[bytes]) -> None:
    assert [*unpack(pack(rows))] == rows


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"task_id":"a"}',
        b'{"a":1}\n{"b":2}',
        b"\x1f\x8b",
        b"\x1f\x8b\x08 and so on",
        pack([b"x"] * ROWS)[:-1],
        pack([b"x"] * ROWS) + b"more",
        pack([b"x"] * (ROWS - 1)),
        gzip.compress(b"x\n" * 10_000_000),
        zlib.compress(b"x"),
    ],
)
def test_what_is_no_pack_is_one_row(body: bytes) -> None:
    assert [*unpack(body)] == [body]


@pytest.mark.parametrize("body", [b"{\n}", b"{\r}", b"x" * (packing.LARGEST + 1)])
def test_row_that_would_spoil_a_pack_goes_alone(body: bytes) -> None:
    assert not is_packable(body)


async def test_rows_that_come_quickly_go_together_and_others_at_once(clock: Clock) -> None:
    sent: list[Sequence[Row]] = []
    rows = Packing(sent.append)

    for number in range(2 * ROWS - 1):  # nobody knows yet how quickly they come
        rows.add(row(number))
    assert [len(some) for some in sent] == [1] * (2 * ROWS - 1)
    for number in range(2 * ROWS + 1):
        rows.add(row(number))
    assert [len(some) for some in sent[2 * ROWS - 1 :]] == [ROWS, ROWS]

    rows.flush()
    rows.flush()
    assert [len(some) for some in sent[2 * ROWS + 1 :]] == [1]

    for number in range(2 * ROWS):
        clock.now += packing.WITHIN
        rows.add(row(number))
    del sent[:]
    rows.add(row(0))
    assert [len(some) for some in sent] == [1]


async def test_row_waits_no_longer_than_the_time_in_which_a_pack_fills(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packing, "WITHIN", 0.05)
    sent: asyncio.Queue[Sequence[Row]] = asyncio.Queue()
    rows = Packing(sent.put_nowait)
    total = 3 * ROWS + 3
    for number in range(total):
        rows.add(row(number))
    come: list[Row] = []
    while len(come) < total:
        come += await sent.get()
    assert [some.delivery.tag for some in come] == [*range(total)]
    rows.add(row(0))
    rows.clear()
    rows.add(row(1))
    assert [some.delivery.tag for some in await sent.get()] == [1]


def test_row_is_found_from_the_last_offset_before_it_as_long_as_the_stream_is_the_same() -> None:
    offsets = Offsets()
    offsets.begin(b"first")
    for message in range(200):
        offsets.add(message * ROWS, message)
    assert offsets.before(31) == (0, 0)
    rows, offset = offsets.before(5000)
    assert rows == offset * ROWS
    assert 5000 - 2 * 1000 < rows <= 5000

    offsets.begin(b"first")
    offsets.add(ROWS, 1)  # which a second reader passes, too
    assert offsets.before(5000) == (rows, offset)
    offsets.begin(b"another")
    assert offsets.before(5000) == (0, 0)
