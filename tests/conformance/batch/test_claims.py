"""Whose a queue is while a run that has begun there may be dead."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.batch import DELAYS
from tests.conformance.batch.desk import Desk, double
from warrener.brokers import connect
from warrener.errors import InvalidTask, QueueTaken
from warrener.journal import Publishing, note
from warrener.published import mark_of_task, note_published
from warrener.publisher import ensure

if TYPE_CHECKING:
    from warrener.journal import Record


async def test_run_that_was_killed_before_it_had_published_anything_has_no_queue(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warrener.turns._SILENT_FOR", 0.0)
    desk.write(double(1), name="first.jsonl")
    await _note(desk, desk.begun("first.jsonl", "host:other.py"))
    desk.write(double(2))
    await desk.run()
    assert desk.values == [4]
    with pytest.raises(QueueTaken, match=r"holds the batch of host:.*tasks.jsonl"):
        await desk.run("first.jsonl")


async def test_run_that_was_killed_has_no_queue_once_the_next_one_of_its_file_is_refused(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warrener.turns._SILENT_FOR", 0.0)
    desk.write({"type": "double", "data": 1}, name="first.jsonl")
    await _note(desk, desk.begun("first.jsonl"))
    with pytest.raises(InvalidTask):
        await desk.run("first.jsonl")
    desk.write(double(2))
    await desk.run()
    assert desk.values == [4]


async def test_run_that_lives_or_has_published_keeps_the_queue(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warrener.ownership.LOOK_EVERY", 0.01)
    desk.write(double(1), name="first.jsonl")
    desk.write(double(2))
    first = desk.begun("first.jsonl")

    await _note(desk, first)
    trying = asyncio.create_task(desk.run())
    while not trying.done():
        await _note(desk, Publishing(first.run))
        await asyncio.sleep(0)
    with pytest.raises(QueueTaken, match=r"holds the batch of host:.*first.jsonl"):
        await trying

    monkeypatch.setattr("warrener.turns._SILENT_FOR", 0.0)
    async with connect(desk.address) as broker:
        await note_published(broker, first.run, [mark_of_task("a", "b")])
    with pytest.raises(QueueTaken, match=r"holds the batch of host:.*first.jsonl"):
        await desk.run()


async def _note(desk: Desk, record: Record) -> None:
    async with connect(desk.address) as broker:
        await ensure(broker, DELAYS)
        await note(broker, record)
