"""Packs of rows: what goes in comes out, and a row never waits for nobody."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warrener.brokers.rabbitmq import packing
from warrener.brokers.rabbitmq.packing import ROWS, Packing, pack, unpack
from warrener.brokers.rabbitmq.rows import Offsets

if TYPE_CHECKING:
    from collections.abc import Sequence


PLENTY = 1000


class Clock:
    """A loop's clock that stands still until it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now)


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def packed(rows: list[bytes]) -> bytes:
    body = pack(rows)
    assert body is not None
    return body


@given(st.lists(st.binary(max_size=200), min_size=ROWS, max_size=ROWS))
def test_what_is_packed_is_unpacked(rows: list[bytes]) -> None:
    body = pack(rows)
    if any(b"\n" in row or b"\r" in row for row in rows):
        assert body is None
    else:
        assert body is not None
        assert [*unpack(body)] == rows


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"task_id":"a"}',
        b'{"a":1}\n{"b":2}',
        b"\x1f\x8b",
        b"\x1f\x8b\x08 and so on",
        packed([b"x"] * ROWS)[:-1],
        packed([b"x"] * ROWS) + b"more",
        gzip.compress(b"\n".join([b"x"] * (ROWS - 1)), mtime=0),
        gzip.compress(b"x\n" * 10_000_000, mtime=0),
        zlib.compress(b"x"),
    ],
)
def test_what_is_no_pack_is_one_row(body: bytes) -> None:
    assert [*unpack(body)] == [body]


@pytest.mark.parametrize("spoiling", [b"{\n}", b"{\r}"])
def test_what_would_spoil_a_pack_makes_none(spoiling: bytes) -> None:
    assert pack([b"{}"] * (ROWS - 1)) is None
    assert pack([b"{}"] * (ROWS - 1) + [spoiling]) is None
    assert pack([b"{}"] * (ROWS - 2) + [spoiling]) is None


async def test_rows_that_come_quickly_go_together_and_others_at_once(clock: Clock) -> None:
    sent: list[Sequence[int]] = []
    rows = Packing[int](sent.append)

    for number in range(2 * ROWS - 1):  # nobody knows yet how quickly they come
        rows.add(number, PLENTY)
    assert [len(some) for some in sent] == [1] * (2 * ROWS - 1)
    for number in range(2 * ROWS + 1):
        rows.add(number, PLENTY)
    assert [len(some) for some in sent[2 * ROWS - 1 :]] == [ROWS, ROWS]

    rows.flush()
    rows.flush()
    assert [len(some) for some in sent[2 * ROWS + 1 :]] == [1]

    for number in range(2 * ROWS):
        clock.now += packing.WITHIN
        rows.add(number, PLENTY)
    del sent[:]
    rows.add(0, PLENTY)
    assert [len(some) for some in sent] == [1]


async def test_rows_that_come_less_quickly_wait_only_for_tasks_that_are_in_hand(clock: Clock) -> None:
    sent: list[Sequence[int]] = []
    rows = Packing[int](sent.append)

    def add(in_hand: int) -> None:
        clock.now += (packing.QUICK + packing.WITHIN) / 2 / ROWS
        rows.add(0, in_hand)

    for _ in range(2 * ROWS - 1):
        add(PLENTY)
    del sent[:]
    for left in range(ROWS - 2, -1, -1):  # a pack less one
        add(left)
    assert [len(some) for some in sent] == [1] * (ROWS - 1)
    for left in range(ROWS + 4, -1, -1):
        add(left)
    assert [len(some) for some in sent[ROWS - 1 :]] == [ROWS, *[1] * 5]


async def test_row_of_the_last_task_in_hand_takes_with_it_what_waits(clock: Clock) -> None:
    assert clock.now
    sent: list[Sequence[int]] = []
    rows = Packing[int](sent.append)
    for _ in range(2 * ROWS - 1):
        rows.add(0, PLENTY)
    del sent[:]

    for left in (2, 1, 0):
        rows.add(0, left)

    assert [len(some) for some in sent] == [3]


async def test_row_waits_no_longer_than_the_time_in_which_a_pack_fills(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packing, "WITHIN", 0.05)
    sent: asyncio.Queue[Sequence[int]] = asyncio.Queue()
    rows = Packing[int](sent.put_nowait)
    total = 3 * ROWS + 3
    for number in range(total):
        rows.add(number, PLENTY)
    come: list[int] = []
    while len(come) < total:
        come += await sent.get()
    assert come == [*range(total)]
    rows.add(0, PLENTY)
    rows.clear()
    rows.add(1, PLENTY)
    assert [*await sent.get()] == [1]


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
