"""`warrener.run` and `warrener.map`, as programs use them."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

import warrener
from tests.batch import PATIENCE, until_written
from tests.conformance.batch.counting_app import app, double, slow
from warrener.api.work import Work
from warrener.brokers import connect
from warrener.errors import InvalidTask, TasksFailed, UsageError
from warrener.exit_codes import Exit
from warrener.journal import read_journal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from warrener.address import Address
    from warrener.batch import Batch
    from warrener.journal import Begun


@pytest.fixture
def where(tmp_path: Path, address: Address, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """How each call finds its queue."""
    monkeypatch.setenv("PLACE", str(tmp_path))
    if address.management:
        monkeypatch.setenv("WARRENER_MANAGEMENT", address.management)
    return {"broker": address.broker, "queue": address.queue, "processes": 1}


def ran(path: Path) -> Counter[int]:
    """How often each task ran."""
    return Counter(map(int, (path / "ran").read_text().split()))


def test_rows_come_and_what_has_ended_is_not_run_again(where: dict[str, Any], tmp_path: Path) -> None:
    with warrener.map(double, [3, {"number": 1}, 2], **where) as batch:
        assert {row.value for row in batch} == {2, 4, 6}
        assert [row.value for row in batch.ordered()] == [6, 2, 4]
    assert batch.status().done == 3
    assert next((row.type, row.attempts, row.origin) for row in batch.ordered()) == ("double", 1, "3")

    # The same tasks in another form, one that is new and one that fails; the source is another, so it must share.
    tasks: list[warrener.Task | dict[str, Any]] = [
        double.task(2),
        double.task(number=-1),
        {"type": "double", "data": {"number": 5}},
    ]
    with pytest.raises(UsageError, match=r"holds the batch of .*: map double, .*share=True"):
        warrener.run(app, tasks, **where).__enter__()
    with (
        pytest.raises(
            TasksFailed, match=r"of 3 tasks 1 failed \(permanent: 1\).*warrener failures list"
        ) as told,
        warrener.run(app, tasks, share=True, **where) as batch,
    ):
        assert [row.value for row in batch.ordered()] == [4, 10]
    assert (told.value.failed, told.value.missing) == (1, 0)

    with warrener.run(app, tasks, share=True, **where) as batch:
        batch.wait()
        (failure,) = batch.failures()  # who asks is not told once more
        assert (failure.error, failure.message) == ("PermanentError", "negative")
        assert failure.origin.startswith("task 2 of ")
    assert [row.value for row in batch.ordered()] == [4, 10]
    assert batch.summary
    assert (batch.summary.completed, batch.summary.failed) == (2, 1)
    assert ran(tmp_path) == Counter([1, 2, 3, -1, 5])


async def test_batch_that_was_left_early_goes_on(where: dict[str, Any], tmp_path: Path) -> None:
    """In a loop, where the first row comes before the last item is asked for, and the file is as good as the items."""
    file = tmp_path / "tasks.jsonl"
    file.write_text("".join(f'{{"type": "slow", "data": {{"number": {n}}}}}\n' for n in range(4)))
    go = tmp_path / "go"
    async with asyncio.timeout(PATIENCE), warrener.run(app, file, **where) as batch:
        await until_written(tmp_path / "ran", 1)
        assert (await batch.status()).done == 0
        go.touch()
        async for row in batch:
            assert row.value in range(0, 8, 2)
            break

    async with asyncio.timeout(PATIENCE), warrener.run(app, str(file), **where) as batch:
        assert [row.value async for row in batch.ordered()] == [0, 2, 4, 6]
        assert await batch.failures() == []
    assert [row.origin async for row in batch.ordered()] == [f"tasks.jsonl:{n}" for n in (1, 2, 3, 4)]
    assert ran(tmp_path) == Counter(range(4))

    async with asyncio.timeout(PATIENCE):
        rows = [row.value async for row in warrener.run(app, file, fresh=True, **where)]
    assert sorted(rows) == [0, 2, 4, 6]
    assert ran(tmp_path) == Counter([*range(4), *range(4)])


def test_what_ends_the_batch_is_raised_and_what_was_given_before_it_is_there(
    where: dict[str, Any], tmp_path: Path
) -> None:
    def items() -> Iterator[object]:
        yield 1
        yield "x"

    (tmp_path / "go").touch()
    with pytest.raises(InvalidTask, match="item 2: data does not fit handler 'slow'"):
        list(warrener.map(slow, items(), **where))

    def stopped() -> Iterator[object]:
        yield 2
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(warrener.map(slow, stopped(), **where))
    with warrener.map(slow, [1, 2], **where) as batch:
        pass  # which waits
    assert [row.value for row in batch.ordered()] == [2, 4]
    assert ran(tmp_path) == Counter([1, 2])


def test_batch_that_is_stopped_before_it_publishes_holds_up_none(
    where: dict[str, Any], address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop_at_once(work: Work, batch: Batch) -> None:
        begun.append(batch.publication.begun)
        work._run.stop(Exit.INTERRUPTED)
        work._has_begun.set()

    async def look() -> dict[str, int]:
        async with connect(address) as broker:
            return (await read_journal(broker)).publishing_before(replace(begun[0], run="later"))

    begun: list[Begun] = []
    monkeypatch.setattr(Work, "_on_begun", stop_at_once)
    with warrener.map(double, [1], **where) as batch:
        pass
    assert batch.summary is None
    assert asyncio.run(look()) == {}


async def test_cancelled_batch_says_how_many_and_goes_on(where: dict[str, Any], tmp_path: Path) -> None:
    async with asyncio.timeout(PATIENCE), warrener.map(slow, range(4), **where) as batch:
        await until_written(tmp_path / "ran", 1)
        await batch.cancel(running=True)
        assert [row async for row in batch] == []
        assert batch.summary
        assert (batch.summary.cancelled, batch.summary.failed, batch.summary.missing) == (4, 0, 0)

    (tmp_path / "go").touch()
    async with asyncio.timeout(PATIENCE), warrener.map(slow, range(4), **where) as batch:
        assert [row.value async for row in batch.ordered()] == [0, 2, 4, 6]
