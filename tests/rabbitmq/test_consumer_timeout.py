"""A broker that takes back what was held for longer than its consumer timeout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.batch import drain, failures, publish, results, task

if TYPE_CHECKING:
    from warren.settings import Address

TIMEOUT = 5  # as in conftest.py; the broker looks every so often, which makes it up to twice that


@pytest.fixture
def nothing_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers ask for no timeout of their own, so that the broker's holds."""
    monkeypatch.setattr("warren.brokers.rabbitmq.consuming.consumer_arguments", lambda _: {})


async def test_task_may_run_longer_than_the_consumer_timeout(breakable: Address) -> None:
    await publish(breakable, [task("sleep_async", "t", seconds=2 * TIMEOUT - 1)])

    await drain(breakable)

    (row,) = await results(breakable)
    assert (row["task_id"], row["attempts"]) == ("t", 1)


@pytest.mark.usefixtures("nothing_asked")
async def test_tasks_taken_back_several_times_run_on_and_are_charged_nothing(
    breakable: Address, caplog: pytest.LogCaptureFixture
) -> None:
    slow = [task("sleep_async", f"slow{n}", seconds=5 * TIMEOUT) for n in range(3)]
    await publish(breakable, [*slow, *(task("sleep_async", f"t{n}", seconds=0.1) for n in range(400))])

    await drain(breakable, processes=2)

    assert caplog.text.count("cancelled our consumer; going on over a new channel") >= 2
    rows = await results(breakable)
    assert sorted(row["task_id"] for row in rows) == sorted(
        [f"slow{n}" for n in range(3)] + [f"t{n}" for n in range(400)]
    )
    assert {row["attempts"] for row in rows} == {1}
    assert await failures(breakable) == {}
