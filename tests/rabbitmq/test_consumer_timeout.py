"""A broker that takes back what was held for longer than its consumer timeout."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.batch import drain, eventually, failures, publish, results, task
from warrener.exit_codes import Exit

if TYPE_CHECKING:
    from pathlib import Path

    from warrener.address import Address

TIMEOUT = 5  # as in conftest.py; the broker looks every so often, which makes it up to twice that


@pytest.fixture
def nothing_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers ask for no timeout of their own, so that the broker's holds."""
    monkeypatch.setattr("warrener.brokers.rabbitmq.consuming.consumer_arguments", lambda _: {})


async def test_task_may_run_longer_than_the_consumer_timeout(breakable: Address) -> None:
    await publish(breakable, [task("sleep_async", "t", seconds=2 * TIMEOUT - 1)])

    await drain(breakable)

    (row,) = await results(breakable)
    assert (row["task_id"], row["attempts"]) == ("t", 1)


async def test_task_taken_from_the_only_consumer_of_a_channel_runs_on(
    rabbit_address: Address, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    # The broker counts no loss then. Where there is another consumer it closes the channel, for which it does.
    monkeypatch.setattr(
        "warrener.brokers.rabbitmq.consuming.consumer_arguments", lambda _: {"x-consumer-timeout": 1000}
    )
    gate, log = tmp_path / "gate", tmp_path / "log"
    await publish(rabbit_address, [task("wait_for", "t", file=str(gate), log=str(log))])
    draining = asyncio.create_task(drain(rabbit_address))

    async def was_taken_back() -> bool:
        return caplog.text.count("going on over a new channel") >= 2

    await eventually(was_taken_back)
    gate.touch()
    assert await draining is Exit.DRAINED

    assert len(log.read_text().splitlines()) == 1
    assert [(row["task_id"], row["attempts"]) for row in await results(rabbit_address)] == [("t", 1)]


@pytest.mark.usefixtures("nothing_asked")
async def test_tasks_taken_back_several_times_run_on_and_are_charged_nothing(
    breakable: Address, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"
    ids = [f"slow{n}" for n in range(3)]
    await publish(breakable, [task("wait_for", name, file=str(gate), log=str(log)) for name in ids])
    draining = asyncio.create_task(drain(breakable, processes=2, is_patient=True))

    async def were_taken_back() -> bool:
        # A queue to which nothing happens takes nothing back.
        ids.append(f"t{len(ids)}")
        await publish(breakable, [task("sleep_async", ids[-1], seconds=0.1)])
        # It ends our consumer; or the channel, where we have ended that consumer ourselves.
        return caplog.text.count("going on over a new channel") >= 2

    await eventually(were_taken_back)
    gate.touch()
    assert await draining is Exit.DRAINED

    assert len(log.read_text().splitlines()) == 3
    rows = await results(breakable)
    assert {row["task_id"] for row in rows} == set(ids)  # one that was on its way may have a second row
    assert {row["attempts"] for row in rows} == {1}
    assert await failures(breakable) == {}
