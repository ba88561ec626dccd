"""What a worker counts is what has become of its tasks; and it says when it hears nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from tests.batch import APP, drain, eventually, failures, publish, results, task
from warrener.brokers import Message, connect
from warrener.exit_codes import Exit
from warrener.metrics.names import DURATION, FAILURES, OTHER_TYPE, TASKS, WAIT
from warrener.metrics.tally import Tally
from warrener.orders import Paused, Resumed, give
from warrener.worker.manifest import ChildSettings
from warrener.worker.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from warrener.address import Address
    from warrener.brokers import Broker
    from warrener.metrics.names import Metric


async def test_counters_are_the_rows_whatever_happens_to_children(address: Address, tmp_path: Path) -> None:
    # Given tasks that end in every way, some of them with their child
    await publish(
        address,
        [
            *(task("echo", f"good-{n}") for n in range(20)),
            *(task("fail_until", f"late-{n}", file=str(tmp_path / f"late-{n}"), times=2) for n in range(3)),
            *(task("permanent", f"bad-{n}") for n in range(2)),
            *(task("exit_", f"gone-{n}") for n in range(2)),
            task("kill", "killed"),
            task("hang", "slow"),
            *(task(f"nobody's-{n}", f"strange-{n}") for n in range(50)),
            Message(b"no JSON", "odd"),
        ],
    )
    tally = Tally("q")
    tally.know(["echo", "fail_until", "permanent", "exit_", "kill", "hang"])
    # When a worker does them
    assert await drain(address, processes=2, on_settled=tally.on_settled) is Exit.DRAINED
    # Then what it has counted is what there is
    rows, failed = await results(address), await failures(address)
    counted = _counts(tally, TASKS)
    assert _outcomes(counted, "completed") == Counter(row["type"] for row in rows)
    kinds = Counter(
        found.type for found in failed.values() if found.reason not in ("unknown-type", "invalid")
    )
    assert _outcomes(counted, "failed") == kinds | {OTHER_TYPE: 51}
    delays = Counter[str]()
    for row in rows:
        delays[row["type"]] += row["attempts"] - 1
    for found in failed.values():
        delays[found.type] += max(0, found.attempts - 1)
    assert _outcomes(counted, "delayed") == {kind: n for kind, n in delays.items() if n}
    reasons = Counter(found.reason for found in failed.values())
    assert {reason: n for (_, reason), n in _counts(tally, FAILURES).items() if n} == reasons
    # And each attempt of a handler has its duration and, unless nobody knows it, how long it was waited for
    attempts = sum(n for (_, kind, _), n in counted.items() if kind != OTHER_TYPE)
    assert sum(sum(counts) for counts, _ in _histograms(tally, DURATION).values()) == attempts
    ((waits, waited),) = _histograms(tally, WAIT).values()
    assert sum(waits) == attempts
    assert 0 <= waited < 3600 * attempts


async def test_worker_that_hears_nothing_is_deaf_and_no_other(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warrener.worker.health.EVERY", 0.02)
    await publish(address, [])
    async with connect(address) as broker, connect(address) as other:
        supervisor = Supervisor(broker, ChildSettings(APP), processes=1)
        health = supervisor.health
        assert health.unready == "no child process can take tasks yet"
        await supervisor.start()
        running = asyncio.create_task(supervisor.run())
        listening = asyncio.create_task(health.keep_listening())
        try:
            # Given a worker that has done something, and to which nothing comes any more
            await _publish(other, "first")
            await _has_completed(other, 1)
            assert (health.unready, health.is_deaf) == ("", False)
            consume = broker.consume
            await broker.pause()
            monkeypatch.setattr(broker, "consume", _nothing)
            # When there is something
            await _publish(other, "second")
            # Then it is deaf,
            await _eventually(lambda: health.is_deaf)
            # unless an order forbids it to take anything,
            await give(other, Paused("ann", 1.0))
            await _eventually(lambda: not health.is_deaf)
            await give(other, Resumed("ann", 2.0))
            await _eventually(lambda: health.is_deaf)
            # or the broker is away,
            with monkeypatch.context() as away:
                away.setattr(type(broker), "is_connected", False)
                await _eventually(lambda: not health.is_deaf)
                assert health.unready == "the broker is away; connecting again"
            # and it is not, once something comes again.
            await consume(supervisor._dispatcher, 1)
            await _has_completed(other, 2)
            await _eventually(lambda: not health.is_deaf)
        finally:
            supervisor.stop()
            await running
            listening.cancel()
        assert health.unready == "stopping"


def _counts(tally: Tally, metric: Metric) -> dict[tuple[str, ...], float]:
    found = ((sample.labels, sample.value) for sample in tally.samples() if sample.metric is metric)
    return {labels: value for labels, value in found if not isinstance(value, tuple)}


def _histograms(tally: Tally, metric: Metric) -> dict[tuple[str, ...], tuple[list[int], float]]:
    found = ((sample.labels, sample.value) for sample in tally.samples() if sample.metric is metric)
    return {labels: ([*value[0]], value[1]) for labels, value in found if isinstance(value, tuple)}


def _outcomes(counted: dict[tuple[str, ...], float], outcome: str) -> dict[str, float]:
    return {kind: n for (_, kind, ended), n in counted.items() if ended == outcome and n}


async def _nothing(*_: object) -> None:
    pass


async def _publish(broker: Broker, name: str) -> None:
    session = broker.publish_session()
    await session.publish([task("echo", name)])
    await session.flush()


async def _has_completed(broker: Broker, count: int) -> None:
    async def is_so() -> bool:
        return (await broker.counts()).completed == count

    await eventually(is_so)


async def _eventually(is_so: Callable[[], bool]) -> None:
    async def is_so_now() -> bool:
        return is_so()

    await eventually(is_so_now)
