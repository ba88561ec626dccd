"""Following results, where a broker counts more of them than there are."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from tests.batch import PATIENCE
from tests.conformance.broker.steps import publish, row, take
from warrener.address import Address
from warrener.brokers import Completed, Failed, connect
from warrener.collector import collect
from warrener.models import Record
from warrener.rows import QUIET
from warrener.writers import opened

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from warrener.brokers import Broker, Counts
    from warrener.rows import Summary


async def test_who_follows_does_not_wait_for_a_row_that_there_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect(Address(f"memory:{uuid.uuid4().hex}", "test")) as broker:
        await broker.declare([])
        counts = broker.counts

        async def one_more() -> Counts:
            return replace(await counts(), completed=1)

        monkeypatch.setattr(broker, "counts", one_more)
        async with asyncio.timeout(PATIENCE):
            summary = await collected(broker, tmp_path / "out.jsonl", follow=True)
    assert (summary.completed, summary.missing) == (0, 0)


async def test_who_has_followed_for_long_gets_the_row_that_comes_just_before_all_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect(Address(f"memory:{uuid.uuid4().hex}", "test")) as broker:
        await broker.declare([])
        await publish(broker, "last")
        hands = await take(broker, 1)
        counts, looks = broker.counts, 0

        async def end_at_last() -> Counts:
            nonlocal looks
            looks += 1
            if looks == QUIET + 5:  # between a look for rows that has found none, and this one
                broker.settle(hands.held[0], Completed(row("last")))
                await broker.settled()
            return await counts()

        monkeypatch.setattr(broker, "counts", end_at_last)
        async with asyncio.timeout(PATIENCE):
            summary = await collected(broker, tmp_path / "out.jsonl", follow=True)
    assert summary.completed == 1


async def test_task_that_is_still_told_as_processed_after_its_row_came_is_not_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect(Address(f"memory:{uuid.uuid4().hex}", "test")) as broker:
        # Given a broker that tells what is processed late, and two tasks of which one has ended
        await broker.declare([])
        await publish(broker, "first", "second")
        hands = await take(broker, 2)
        broker.settle(hands.held[0], Completed(ended_now("first")))
        await broker.settled()
        counts, looks = broker.counts, 0

        async def late() -> Counts:
            nonlocal looks
            looks += 1
            if looks == 2:
                broker.settle(hands.held[1], Completed(ended_now("second")))
                await broker.settled()
            return replace(await counts(), processing=1) if looks < 4 else await counts()

        monkeypatch.setattr(broker, "counts", late)
        monkeypatch.setattr(broker, "counts_late", PATIENCE)
        # When its results are collected, then it is looked at again, and what came meanwhile is there, too
        out = tmp_path / "out.jsonl"
        summary = await collected(broker, out)
    assert (summary.completed, summary.missing, looks) == (2, 0, 4)
    assert len(out.read_text().splitlines()) == 2


async def test_task_that_is_still_told_as_processed_after_it_failed_is_not_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect(Address(f"memory:{uuid.uuid4().hex}", "test")) as broker:
        # Given a broker that tells what is processed late, and a task that has just failed
        await broker.declare([])
        await publish(broker, "only")
        hands = await take(broker, 1)
        broker.settle(hands.held[0], Failed(Record().fail("permanent")))
        await broker.settled()
        counts, looks = broker.counts, 0

        async def late() -> Counts:
            nonlocal looks
            looks += 1
            return replace(await counts(), processing=int(looks < 3))

        monkeypatch.setattr(broker, "counts", late)
        monkeypatch.setattr(broker, "counts_late", PATIENCE)
        summary = await collected(broker, tmp_path / "out.jsonl")
    assert (summary.failed, summary.missing) == (1, 0)


async def test_task_that_runs_for_long_is_missing_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect(Address(f"memory:{uuid.uuid4().hex}", "test")) as broker:
        await broker.declare([])
        await publish(broker, "first", "second")
        hands = await take(broker, 2)
        broker.settle(hands.held[0], Completed(row("first")))  # which ended long ago
        await broker.settled()
        monkeypatch.setattr(broker, "counts_late", PATIENCE)
        async with asyncio.timeout(PATIENCE / 2):
            summary = await collected(broker, tmp_path / "out.jsonl")
    assert (summary.completed, summary.missing) == (1, 1)


async def collected(broker: Broker, out: Path, *, follow: bool = False) -> Summary:
    """Collect into this file."""
    with opened(str(out), "jsonl") as writer:
        return await collect(broker, writer, follow=follow)


def ended_now(task_id: str) -> bytes:
    """The row of a task that has ended just now."""
    found = msgspec.json.decode(row(task_id)) | {"processed_at": time.time()}
    return msgspec.json.encode(found)
