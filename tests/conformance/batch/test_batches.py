"""A batch gets its own answer: the rows of its tasks as they are worded now, and no others."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.batch import eventually, until_written
from tests.conformance.batch.desk import Desk, double, slow
from warrener import Publisher, Task
from warrener.brokers import connect
from warrener.collector import collect
from warrener.errors import AppError, InvalidTask, QueueTaken, UsageError
from warrener.exit_codes import Exit
from warrener.monitor import watching
from warrener.sources import read
from warrener.writers import opened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warrener.brokers import Log
    from warrener.rows import Summary


async def test_second_run_runs_nothing_and_has_all_rows(desk: Desk) -> None:
    desk.write(*map(double, range(5)))
    await desk.run()
    ended = await desk.run()
    assert ended.were_done == 5
    assert desk.values == [0, 2, 4, 6, 8]
    assert desk.ran == Counter(range(5))


async def test_edited_line_runs_and_its_old_row_is_left_out(desk: Desk) -> None:
    desk.write(*map(double, range(5)))
    await desk.run()
    desk.write(double(0), double(1), double(20), double(3), double(4))
    await desk.run()
    assert desk.values == [0, 2, 6, 8, 40]
    assert desk.ran == Counter([*range(5), 20])


async def test_inserted_and_moved_lines_change_no_other(desk: Desk) -> None:
    desk.write(*map(double, range(5)))
    await desk.run()
    desk.write(double(9), *map(double, reversed(range(5))))
    await desk.run()
    assert desk.values == [0, 2, 4, 6, 8, 18]
    assert desk.ran == Counter([*range(5), 9])


async def test_repeated_line_is_a_task_of_its_own(desk: Desk) -> None:
    desk.write(double(1), double(1), double(1))
    await desk.run()
    await desk.run()
    assert desk.values == [2, 2, 2]
    assert desk.ran == Counter([1, 1, 1])


async def test_changed_data_under_an_own_id_runs_and_its_row_replaces_the_old_one(desk: Desk) -> None:
    desk.write(double(1, id="a"), double(2, id="b"))
    await desk.run()
    desk.write(double(1, id="a"), double(7, id="b"))
    await desk.run()
    assert desk.values == [2, 14]
    assert desk.ran == Counter([1, 2, 7])


async def test_who_collects_from_the_queue_gets_no_row_of_an_earlier_wording(desk: Desk) -> None:
    # Given tasks that keep their ids: one stays, one completes as it is worded anew, one fails as it is
    desk.write(double(1, id="a"), double(2, id="b"), double(3, id="c"))
    await desk.run()
    desk.write(double(1, id="a"), double(7, id="b"), double(-3, id="c"))
    await desk.run()

    # When the queue is collected, then each has one end, that of its last wording
    rows, summary = await _collected(desk)
    assert rows == {"a": 2, "b": 14}
    assert (summary.completed, summary.failed, summary.superseded) == (2, 1, 2)

    # And so they have when the file says again what it had said
    desk.write(double(1, id="a"), double(2, id="b"), double(3, id="c"))
    await desk.run()
    rows, summary = await _collected(desk)
    assert rows == {"a": 2, "b": 4, "c": 6}
    assert (summary.completed, summary.failed, summary.superseded) == (3, 0, 1)
    assert desk.ran == Counter([1, 2, 3, 7, -3])


async def _collected(desk: Desk) -> tuple[dict[str, int], Summary]:
    async with connect(desk.address) as broker:
        with opened(str(desk.path / "collected.jsonl"), "jsonl") as writer:
            summary = await collect(broker, writer)
    lines = (desk.path / "collected.jsonl").read_bytes().splitlines()
    return {row["task_id"]: row["value"] for row in map(json.loads, lines)}, summary


async def test_corrected_failure_is_failed_no_more(desk: Desk) -> None:
    desk.write(double(1, id="a"), double(-2, id="b"), double(-3, id="c"))
    first = await desk.run()
    desk.write(double(1, id="a"), double(2, id="b"), double(-3, id="c"))
    second = await desk.run()
    assert first.summary
    assert second.summary
    assert (first.summary.completed, first.summary.failed) == (1, 2)
    assert (second.summary.completed, second.summary.failed, second.summary.missing) == (2, 1, 0)
    assert desk.values == [2, 4]
    assert desk.ran == Counter([1, -2, -3, 2])


async def test_failure_that_was_corrected_elsewhere_may_come_again(desk: Desk) -> None:
    desk.write(double(1, id="a"), double(-2, id="b"))
    await desk.run()
    desk.write(double(2, id="b"), name="corrected.jsonl")
    await desk.run("corrected.jsonl", is_shared=True)
    assert desk.values == [4]
    async with connect(desk.address) as broker, watching(broker) as monitor:
        status = await monitor.look()
    assert (status.done, status.total) == (2, 2)  # of three lines one says another anew

    ended = await desk.run()  # the first file says what it said
    assert ended.summary
    assert (ended.summary.completed, ended.summary.failed, ended.summary.missing) == (1, 1, 0)


async def test_failures_of_others_count_where_a_file_is_only_published(desk: Desk) -> None:
    async with Publisher(desk.address.broker, desk.address.queue) as publisher:
        await publisher.publish(Task("bad", "double", {"number": -1}))
    desk.write(double(1))
    await desk.run(is_shared=True)
    await desk.publish()

    async def has_failed() -> bool:  # RabbitMQ counts late
        async with connect(desk.address) as broker, watching(broker) as monitor:
            return (await monitor.look()).counts.failed == 1

    await eventually(has_failed)


async def test_queue_of_another_file_is_refused_unless_it_is_shared(desk: Desk) -> None:
    desk.write(double(1))
    desk.write(double(2), name="others.jsonl")
    await desk.run()
    with pytest.raises(UsageError, match=r"holds the batch of host:.*tasks.jsonl.*--share"):
        await desk.run("others.jsonl")
    assert desk.values == [2]

    ended = await desk.run("others.jsonl", is_shared=True)
    assert desk.values == [4]
    assert ended.foreign_rows == 1
    assert desk.ran == Counter([1, 2])


async def test_queue_is_nobodys_while_nothing_was_published(desk: Desk) -> None:
    # Given a file that is refused in its first line, and so is the same one again
    desk.write({"type": "double", "data": 1}, name="first.jsonl")
    for _ in range(2):
        with pytest.raises(InvalidTask):
            await desk.run("first.jsonl")

    # When another one is run, then the queue is its
    desk.write(double(1))
    await desk.run()
    assert desk.values == [2]
    desk.write({"type": "double", "data": 1}, name="first.jsonl")
    with pytest.raises(QueueTaken, match=r"holds the batch of host:.*tasks.jsonl"):
        await desk.run("first.jsonl")
    assert (await desk.run()).were_done == 1


async def test_what_was_published_before_a_line_that_is_refused_keeps_the_queue(desk: Desk) -> None:
    desk.write(double(1), {"type": "double", "data": 1}, name="first.jsonl")
    with pytest.raises(InvalidTask):
        await desk.run("first.jsonl")
    desk.write(double(1))
    with pytest.raises(QueueTaken, match=r"holds the batch of host:.*first.jsonl"):
        await desk.run()


async def test_of_two_files_that_begin_at_the_same_time_one_has_the_queue(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given two runs each of which finds the queue nobody's
    names = "one.jsonl", "two.jsonl"
    for number, name in enumerate(names):
        desk.write(double(number), name=name)
    both, kind = asyncio.Barrier(2), type(connect(desk.address))
    as_it_was, begun = kind.note, set[str]()

    async def noted(broker: Any, log: Log, records: Sequence[bytes]) -> None:
        for record in records:
            if (members := json.loads(record)).get("kind") == "begun" and members["run"] not in begun:
                begun.add(members["run"])
                await both.wait()
        await as_it_was(broker, log, records)

    monkeypatch.setattr(kind, "note", noted)

    # When they go on, then one of them has it, and the other has published nothing
    ended = await asyncio.gather(*(desk.run(name, name[:3]) for name in names), return_exceptions=True)
    assert [type(end) for end in ended].count(QueueTaken) == 1, ended
    assert sum(desk.ran.values()) == 1


async def test_starting_over_drops_nothing_before_the_app_is_known_to_import(desk: Desk) -> None:
    # Given a batch that was run
    desk.write(*map(double, range(3)))
    await desk.run()

    # When it is to start over with an app that does not import, then its rows stay
    (desk.path / "broken.py").write_text("import nothing_of_this_name\n")
    with pytest.raises(AppError, match="nothing_of_this_name"):
        await desk.run(is_fresh=True, app=str(desk.path / "broken.py"))
    assert (await desk.run()).were_done == 3

    # And with one that does, all runs again
    assert (await desk.run(is_fresh=True)).were_done == 0
    assert desk.values == [0, 2, 4]
    assert desk.ran == Counter([*range(3), *range(3)])


async def test_second_run_beside_the_first_helps_it(desk: Desk) -> None:
    desk.write(*map(double, range(40)))
    first, second = await asyncio.gather(desk.run(output="a.jsonl"), desk.run(output="b.jsonl"))
    for ended in (first, second):
        assert ended.summary
        assert (ended.summary.completed, ended.summary.missing, ended.summary.duplicates) == (40, 0, 0)
    assert desk.ran == Counter(range(40))


async def test_run_waits_for_the_task_that_another_run_has(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given two runs of a batch, each with one of its tasks
    looks = desk.count_looks(monkeypatch)
    desk.write(*(double(number, type="gated") for number in (1, 2)))
    runs = [asyncio.create_task(desk.run(output=name)) for name in ("a.jsonl", "b.jsonl")]
    await until_written(desk.path / "ran", 2)

    # When one of the tasks ends, and whoever had it has looked more often than it takes to find the queue empty
    (desk.path / "go-1").touch()

    async def is_enough() -> bool:
        return len(looks) > 2 or any(run.done() for run in runs)

    await eventually(is_enough)
    assert not any(run.done() for run in runs)

    # Then both runs end with both rows
    (desk.path / "go-2").touch()
    for ended in await asyncio.gather(*runs):
        assert ended.summary
        assert (ended.summary.completed, ended.summary.missing) == (2, 0)
    assert desk.ran == Counter([1, 2])


async def test_interrupted_run_goes_on_and_runs_nothing_twice(desk: Desk) -> None:
    desk.write(*map(slow, range(4)))
    run = desk.start()
    going = asyncio.create_task(desk.finish(run))
    await until_written(desk.path / "ran", 1)
    await desk.is_published()
    (desk.path / "go").touch()
    run.stop(Exit.INTERRUPTED)
    ended = await going
    assert ended.summary is None
    assert ended.exit is Exit.INTERRUPTED

    ended = await desk.run()
    assert desk.values == [0, 2, 4, 6]
    assert desk.ran == Counter(range(4))


async def test_run_stops_where_rows_cannot_be_written_any_more(desk: Desk) -> None:
    class Full:
        def write(self, rows: Sequence[bytes]) -> None:
            if rows:
                raise UsageError("the disk is full")

        def flush(self) -> None:
            pass

    desk.write(double(1), slow(2))
    run = desk.start()

    async def is_stopping() -> bool:
        return run._supervisor is not None and run._supervisor.is_stopping

    async def run_on() -> None:
        await eventually(is_stopping)
        (desk.path / "go").touch()

    running = asyncio.create_task(run_on())
    with pytest.raises(UsageError, match="the disk is full"):
        await run.run(lambda _: read(str(desk.path / "tasks.jsonl")), Full())
    await running
