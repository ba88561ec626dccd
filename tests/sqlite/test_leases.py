"""Leases that end although their workers live: what these hold, and what they still have to say of it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

from tests.batch import Hands, eventually, publish, results, task
from warrener.brokers import connect
from warrener.brokers.protocol import Completed
from warrener.brokers.sqlite import SqliteBroker

if TYPE_CHECKING:
    from warrener.address import Address


async def test_outcome_of_a_claim_that_was_lost_settles_no_other_task(sqlite_address: Address) -> None:
    await publish(sqlite_address, [task("echo", "older")])
    hands = Hands()
    async with connect(sqlite_address) as broker:
        assert isinstance(broker, SqliteBroker)
        await broker.consume(hands, 2)
        await hands.have(1)
        # What others do while this worker stands still: the next task gets the number of the one that they have ended.
        _do(sqlite_address, "DELETE FROM tasks", "DELETE FROM workers")
        await publish(sqlite_address, [task("echo", "newer")])
        loop, turn = asyncio.get_running_loop(), broker._claims.turn

        async def report() -> None:
            broker.settle(hands.held[0], Completed(b'{"task_id":"older"}'))

        def turn_and_report(*args: Any) -> Any:
            was_lost, claimed = turn(*args)
            if was_lost:  # and the worker is not told yet
                asyncio.run_coroutine_threadsafe(report(), loop).result()
            return was_lost, claimed

        broker._claims.turn = turn_and_report  # type: ignore[assignment, method-assign]
        await broker._writer.run(_age, broker)
        await hands.have(2)
        await broker.settled()
        broker.settle(hands.held[1], Completed(b'{"task_id":"newer"}'))
        await broker.settled()

    assert [row["task_id"] for row in await results(sqlite_address)] == ["newer"]


async def test_workers_that_could_not_write_for_longer_than_a_lease_keep_what_they_hold(
    sqlite_address: Address,
) -> None:
    await publish(sqlite_address, [task("echo", "t")])
    hands, others = Hands(), Hands()
    is_well = threading.Event()
    async with connect(sqlite_address) as broker, connect(sqlite_address) as other:
        assert isinstance(broker, SqliteBroker)
        assert isinstance(other, SqliteBroker)
        await broker.consume(hands, 1)
        await hands.have(1)

        def stand_still() -> None:  # the other one is the first that can write again
            _age(broker)
            is_well.wait()

        broker._writer._thread.submit(stand_still)
        _do(sqlite_address, "UPDATE workers SET lease = 0")
        other._claims._worker, other._claims._renewed = 4711, other._claims._renewed - 100
        _do(sqlite_address, "INSERT INTO workers VALUES (4711, 0)")
        await other.consume(others, 1)

        async def has_renewed() -> bool:
            return other._claims._renewed > 0

        await eventually(has_renewed)
        is_well.set()
        broker.settle(hands.held[0], Completed(b'{"task_id":"t","attempts":1}'))
        await broker.settled()

    assert [row["task_id"] for row in await results(sqlite_address)] == ["t"]
    assert others.held == []


def _age(broker: SqliteBroker) -> None:
    """Have the lease be due, between two turns."""
    broker._claims._renewed -= 100


def _do(address: Address, *statements: str) -> None:
    with closing(sqlite3.connect(address.path)) as other, other:
        for statement in statements:
            other.execute(statement)
