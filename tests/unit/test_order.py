"""Rows of a batch in the order of its tasks."""

from __future__ import annotations

import types
from typing import Any

import msgspec
import pytest

import warrener
from warrener.api.order import InOrder, Order
from warrener.api.rows import Rows
from warrener.errors import WarrenerError
from warrener.published import mark_of_task


def row(number: int) -> bytes:
    result = warrener.Result(f"t{number}", "same", number, 1, "host:1", 1.0, 2.0, 1.0)
    return msgspec.json.encode(result)


def test_rows_wait_for_those_before_them_until_it_is_certain_that_there_are_none() -> None:
    work: Any = types.SimpleNamespace(rows=Rows(), order=Order())
    in_order = InOrder(work)

    def values() -> list[int]:
        return [found.value for found in in_order.next_rows()]

    for number in range(2500):
        work.order.add(mark_of_task(f"t{number}", ""))
    work.rows.write([row(1), row(2)])
    assert values() == []
    work.rows.write([row(0)])
    assert values() == [0, 1, 2]
    work.rows.write([row(2499), row(4)])  # 3 failed
    assert values() == []
    assert not in_order.is_done
    work.rows.end()
    assert values() == [4, 2499]
    assert in_order.is_done


def test_row_longer_than_what_is_read_at_a_time_and_one_that_no_worker_wrote() -> None:
    rows = Rows()
    long = msgspec.json.encode(warrener.Result("t", "same", "x" * 300_000, 1, "host:1", 1.0, 2.0, 1.0))
    rows.write([long])
    ((position, found),) = rows.read(0)
    assert len(found.value) == 300_000
    rows.write([b'{"task_id": "t", "attempts": 1}'])
    with pytest.raises(WarrenerError, match="not as a worker writes it"):
        rows.read(position)
