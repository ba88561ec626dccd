"""Tasks that whoever published them has not published: nobody takes their batch for done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from tests.batch import DELAYS
from tests.conformance.batch.desk import Desk, double
from warrener.brokers import connect
from warrener.collector import collect
from warrener.journal import STDIN_SOURCE, Left, Read, note, note_purged
from warrener.monitor import watching
from warrener.publisher import ensure
from warrener.unpublished import Unpublished
from warrener.writers import opened

if TYPE_CHECKING:
    from warrener.journal import Begun
    from warrener.rows import Summary

NEVER = "3 of 3 tasks were never published: run the same command again"
NOT_YET = "3 of 3 tasks are not published yet; if no run is at it any more, run the same command again"


@pytest.fixture
def begun(desk: Desk) -> Begun:
    desk.write(*map(double, range(3)))
    return desk.begun()


async def _collected(desk: Desk, *, follow: bool = False) -> Summary:
    async with connect(desk.address) as broker:
        with opened(str(desk.path / "collected.jsonl"), "jsonl") as writer:
            return await collect(broker, writer, follow=follow)


async def test_run_that_has_left_leaves_them_missing(desk: Desk, begun: Begun) -> None:
    async with connect(desk.address) as broker:
        await ensure(broker, DELAYS)
        await note(broker, begun)
        unpublished = Unpublished(broker)
        assert not await unpublished.are_over(0, have_ended=True)
        assert str(unpublished) == NOT_YET
        summary = await _collected(desk)
        assert (summary.missing, summary.unpublished) == (3, NOT_YET)

        await note(broker, Left(begun.run))
        assert not await unpublished.are_over(0, have_ended=True)  # some may have come just before
        assert not await unpublished.are_over(0, have_ended=False)
        assert not await unpublished.are_over(0, have_ended=True)
        assert await unpublished.are_over(0, have_ended=True)
        assert str(unpublished) == NEVER
        for follow in (False, True):
            summary = await _collected(desk, follow=follow)
            assert (summary.missing, summary.unpublished) == (3, NEVER)


async def test_run_that_was_killed_is_taken_for_dead_once_it_is_silent(
    desk: Desk, begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect(desk.address) as broker:
        await ensure(broker, DELAYS)
        await note(broker, begun)
        unpublished = Unpublished(broker)
        assert not await unpublished.look(0)
        monkeypatch.setattr("warrener.turns._SILENT_FOR", 0.0)
        assert await unpublished.look(0)
        assert str(unpublished) == NEVER


async def test_what_was_published_is_waited_for_by_others(desk: Desk, begun: Begun) -> None:
    await desk.publish()
    async with connect(desk.address) as broker:
        await note(broker, begun)
        await note(broker, Left(begun.run))
        unpublished = Unpublished(broker)
        assert await unpublished.look(3)
        assert not unpublished.count
        summary = await _collected(desk)
        assert (summary.missing, summary.unpublished) == (3, "")


async def test_nothing_is_said_of_what_is_whole_or_shared(desk: Desk, begun: Begun) -> None:
    desk.write(double(7), name="other.jsonl")
    async with connect(desk.address) as broker:
        await ensure(broker, DELAYS)
        await note(broker, begun)
        await note(broker, Read(begun.run, 0))
        assert (await _collected(desk)).missing == 0

        other = desk.begun("other.jsonl")
        await note(broker, other)
        await note(broker, Left(other.run))
        assert (await _collected(desk, follow=True)).missing == 0


async def test_nobody_takes_what_is_of_unknown_length_for_done_before_it_was_read_to_its_end(
    desk: Desk, begun: Begun
) -> None:
    packed = replace(begun, planned=None)
    async with connect(desk.address) as broker:
        await ensure(broker, DELAYS)
        await note(broker, packed)
        unpublished = Unpublished(broker)
        assert not await unpublished.are_over(2, have_ended=True)
        assert str(unpublished) == (
            "2 tasks are published, but not to the end of the source yet; "
            "if no run is at it any more, run the same command again"
        )
        async with watching(broker) as monitor:
            seen = await monitor.look()
        assert (seen.is_finished, seen.progress, seen.eta, seen.state) == (False, None, None, "waiting")

        await note(broker, Left(packed.run))
        for follow in (False, True):
            summary = await _collected(desk, follow=follow)
            assert (summary.missing, summary.unpublished) == (
                0,
                "0 tasks were published, but not to the end of the source: run the same command again",
            )

        again = replace(packed, run="again")
        for record in (again, Read(again.run, 0)):
            await note(broker, record)
        assert (await _collected(desk, follow=True)).unpublished == ""


async def test_what_came_from_stdin_is_all_there_was(desk: Desk, begun: Begun) -> None:
    async with connect(desk.address) as broker:
        await ensure(broker, DELAYS)
        await note(broker, replace(begun, source=f"host:{STDIN_SOURCE}", planned=None))
        assert (await _collected(desk, follow=True)).unpublished == ""


async def test_nothing_of_a_queue_that_was_purged_is_to_be_published(desk: Desk, begun: Begun) -> None:
    async with connect(desk.address) as broker:
        await ensure(broker, DELAYS)
        await note(broker, replace(begun, planned=None))
        await note_purged(broker, "ann@host", 0.0)
        assert (await _collected(desk, follow=True)).unpublished == ""
