"""When nothing is left to do, and when that is only what the broker has not heard yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from warrener.brokers import Counts
from warrener.completion import Completion

if TYPE_CHECKING:
    from warrener.brokers import Broker

DONE = Counts(0, 0, 0, 5, 1, 2)


class _Broker:
    counts_late = 6.0
    is_drained = True

    async def drained(self) -> bool:
        return self.is_drained


@pytest.fixture
def broker() -> Any:
    return _Broker()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("warrener.completion.time.monotonic", lambda: now[0])
    return now


async def test_counts_must_say_so_for_as_long_as_they_may_be_late(broker: Broker, clock: list[float]) -> None:
    completion = Completion(broker)
    assert not await completion.is_proven_by(DONE)
    clock[0] += 5.9
    assert not await completion.is_proven_by(DONE)
    clock[0] += 0.2
    assert await completion.is_proven_by(DONE)


async def test_any_change_begins_anew(broker: Broker, clock: list[float]) -> None:
    completion = Completion(broker)
    await completion.is_proven_by(DONE)
    clock[0] += 7
    assert not await completion.is_proven_by(Counts(0, 0, 0, 6, 1, 2))
    clock[0] += 7
    assert await completion.is_proven_by(Counts(0, 0, 0, 6, 1, 2))


@pytest.mark.parametrize(
    "counts",
    [
        Counts(1, 0, 0, 5, 1, 2),
        Counts(0, 1, 0, 5, 1, 2),
        Counts(0, 0, 1, 5, 1, 2),
        Counts(0, None, 0, 5, 1, 2),
    ],
)
async def test_what_waits_runs_or_may_run_is_no_end(
    broker: Broker, clock: list[float], counts: Counts
) -> None:
    completion = Completion(broker)
    await completion.is_proven_by(counts)
    clock[0] += 60
    assert not await completion.is_proven_by(counts)


async def test_without_workers_nothing_can_run(broker: Broker, clock: list[float]) -> None:
    completion = Completion(broker)
    await completion.is_proven_by(Counts(0, None, 0, 5, 1, 0))
    clock[0] += 60
    assert await completion.is_proven_by(Counts(0, None, 0, 5, 1, 0))


async def test_exact_counts_need_one_look(broker: Any) -> None:
    broker.counts_late = 0.0
    assert await Completion(broker).is_proven_by(DONE)
    broker.is_drained = False
    assert not await Completion(broker).is_proven_by(DONE)
