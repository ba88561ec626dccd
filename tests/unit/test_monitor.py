"""Rate and ETA, from what a broker counts at each look."""

from __future__ import annotations

from typing import Any

import pytest

from warrener.brokers import Counts
from warrener.journal import JournalState
from warrener.monitor import Monitor, Status
from warrener.time_left import durations_in


class _Queue:
    """A broker that counts what it is told to, and the clock that passes meanwhile."""

    counts_late = 0.0

    def __init__(self) -> None:
        self.now = 1000.0
        self.done = 0
        self.ready = 1000
        self.failed = 0
        self.processing = 0
        self.durations: list[float] = []
        self.ended_before = 0
        self.enough: int | None = None

    async def counts(self) -> Counts:
        return Counts(self.ready, self.processing, 0, self.done - self.failed, self.failed, 1)

    async def newest_results(self, most: int, *, enough: int | None = None) -> list[bytes]:
        self.enough = enough
        return [b'{"duration":%r}' % duration for duration in self.durations[-most:]] + [b"strange"]

    async def completed_at(self, _: list[float]) -> list[int]:
        return [self.ended_before]


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Any:
    queue = _Queue()
    monkeypatch.setattr("warrener.monitor.time.monotonic", lambda: queue.now)
    return queue


async def after(queue: Any, monitor: Monitor, seconds: float, done: int) -> Status:
    queue.now += seconds
    queue.done += done
    queue.ready -= done
    return await monitor.look()


def test_row_that_nests_too_deep_tells_nothing() -> None:
    deep = b'{"value":' + b"[" * 100_000 + b"]" * 100_000 + b',"duration":1}'

    strange = [b'{"duration":%b}' % value for value in (b"1e308", b"-1", b"NaN", b'"2"')]
    assert durations_in([b'{"duration":2}', deep, *strange]) == [2]


async def test_one_look_tells_no_rate(queue: Any) -> None:
    status = await Monitor(queue).look()

    assert (status.total, status.done, status.rate, status.eta) == (1000, 0, None, None)


async def test_rate_is_of_the_window_and_eta_from_its_slowest_to_its_fastest(queue: Any) -> None:
    monitor = Monitor(queue)
    await monitor.look()
    await after(queue, monitor, 10, 100)
    status = await after(queue, monitor, 10, 300)

    assert status.rate == 20
    assert status.eta == (600 / 30, 600 / 10)
    assert status.progress == 0.4

    status = await after(queue, monitor, 25, 500)  # the first two looks are too old by now
    assert status.rate == 20
    assert status.eta == (5, 5)


@pytest.mark.parametrize(
    ("ready", "processing", "ended_before", "seen"),
    [
        (5, 9, 0, (1000, 5, 5)),
        (14, 0, 976, (1000, 10, 0)),
        (0, 5, 990, (1000, 0, 5)),
        # Somebody else has published some, since these wait and the others had ended before.
        (14, 0, 990, (1004, 14, 0)),
        (5, 9, 990, (1004, 5, 9)),
    ],
)
async def test_what_is_counted_late_is_no_task_more(
    queue: Any, ready: int, processing: int, ended_before: int, seen: tuple[int, int, int]
) -> None:
    queue.done, queue.ready, queue.processing = 990, ready, processing
    queue.ended_before, queue.counts_late = ended_before, 6.0
    journal = JournalState()
    journal.totals["tasks.jsonl"] = 1000

    status = await Monitor(queue, journal=journal).look()

    assert (status.total, status.counts.ready, status.counts.processing) == seen


async def test_what_stands_still_has_a_rate_of_nothing_and_no_eta(queue: Any) -> None:
    monitor = Monitor(queue)
    await monitor.look()
    status = await after(queue, monitor, 10, 0)

    assert (status.rate, status.eta) == (0, None)


async def test_the_end(queue: Any) -> None:
    monitor = Monitor(queue)
    await monitor.look()
    status = await after(queue, monitor, 10, 1000)

    assert status.is_finished
    assert (status.progress, status.eta) == (1, (0, 0))


async def test_failures_that_are_tried_again_begin_a_new_rate(queue: Any) -> None:
    monitor = Monitor(queue)
    queue.failed = 100
    await after(queue, monitor, 0, 500)
    queue.failed = 0
    status = await after(queue, monitor, 1, -100)
    assert (status.done, status.rate, status.eta) == (400, None, None)

    status = await after(queue, monitor, 10, 50)
    assert status.rate == 5


async def test_who_knows_the_total_is_believed_until_more_is_done(queue: Any) -> None:
    monitor = Monitor(queue, 2000)
    status = await after(queue, monitor, 0, 1000)
    assert (status.total, status.is_finished) == (2000, False)

    monitor.total = 500
    assert (await monitor.look()).total == 1000


async def test_eta_of_long_tasks_is_from_how_long_they_took_and_how_many_run(queue: Any) -> None:
    # Given tasks of 30 s on ten slots, which all end at about the same time
    monitor = Monitor(queue)
    queue.ready, queue.processing = 90, 10
    await monitor.look()

    # From the first one on the range has the truth in it: nine rounds, and half of the one that runs
    queue.durations = [30.0]
    status = await after(queue, monitor, 30, 1)
    assert status.eta is not None
    soonest, latest = status.eta
    assert soonest < 285 < latest

    # And it narrows with each that ends
    queue.durations += [29.0, 31.0, 30.0, 30.0, 30.0, 29.5, 30.5, 30.0, 30.0]
    status = await after(queue, monitor, 1, 9)
    assert status.eta is not None
    assert soonest < status.eta[0] < 255 < status.eta[1] < latest
    for _ in range(29):  # while nothing ends
        status = await after(queue, monitor, 1, 0)
        assert status.eta is not None


async def test_no_more_is_processed_than_is_left(queue: Any) -> None:
    monitor = Monitor(queue, 1000)
    queue.ready, queue.processing = 0, 64

    assert (await after(queue, monitor, 0, 996)).counts.processing == 4


async def test_durations_are_told_by_few_bytes(queue: Any) -> None:
    queue.durations = [1.0, 1.0]
    await after(queue, Monitor(queue), 1, 2)
    assert queue.enough == 4 << 20
