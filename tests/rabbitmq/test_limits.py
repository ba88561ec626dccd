"""A broker that takes nothing for a while, or not so much at a time."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.batch import APP, Hands, drain, failures, publish, results, task
from tests.place import Place
from tests.rabbitmq.conftest import SMALL_LIMIT
from warrener.brokers import connect
from warrener.brokers.protocol import Completed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.rabbitmq_server import RabbitMQ
    from warrener.address import Address

MIB = 1024 * 1024


@contextmanager
def alarm(server: RabbitMQ) -> Iterator[None]:
    """The broker takes no messages meanwhile."""
    server.call("vm_memory_monitor:set_vm_memory_high_watermark(0)")
    try:
        yield
    finally:
        server.call('vm_memory_monitor:set_vm_memory_high_watermark({absolute, "2GB"})')


async def test_publisher_waits_for_a_broker_in_alarm(
    server: RabbitMQ, breakable: Address, tmp_path: Path
) -> None:
    with Place(tmp_path, breakable) as place:
        file = place.tasks([{"type": "echo"}] * 10)
        with alarm(server):
            interrupted = place.begin("publish", file)
            await interrupted.says("the broker is in alarm")
            assert interrupted.end(signal.SIGINT) == 130
            assert "0 tasks are confirmed; go on with: warrener publish tasks.jsonl" in interrupted.said
            waiting = place.begin("publish", file)
            await waiting.says("the broker is in alarm")
            assert waiting.process.poll() is None

        assert waiting.end() == 0, waiting.said
        assert "10 tasks published" in waiting.said


@pytest.mark.parametrize("size", [3 * SMALL_LIMIT // 2, 16 * MIB])
def test_task_over_the_limit_is_named_and_those_before_it_are_published(
    breakable: Address, tmp_path: Path, size: int
) -> None:
    with Place(tmp_path, breakable) as place:
        small, large = {"type": "echo"}, {"type": "echo", "id": "large", "data": {"text": "x" * size}}

        done = place.warrener("publish", place.tasks([small, small, large, small]))

        assert done.returncode == 3
        *_, go_on, sentence = done.stderr.splitlines()
        assert go_on.startswith("2 tasks are confirmed; go on with: warrener publish tasks.jsonl")
        assert sentence.startswith("warrener: task 'large'")
        assert "pass a reference to large data" in sentence


@pytest.mark.parametrize("size", [3 * SMALL_LIMIT // 2, 16 * MIB])
async def test_result_over_the_limit_is_a_permanent_failure(breakable: Address, size: int) -> None:
    await publish(breakable, [task("long", "large", size=size), task("echo", "small")])

    await drain(breakable, is_patient=True)

    # The broker closed the channel over "large": "small" may have run again, and has one row once collected.
    assert {row["task_id"] for row in await results(breakable)} == {"small"}
    found = (await failures(breakable))["large"]
    assert (found.reason, found.error) == ("permanent", "ResultTooLarge")


async def test_channel_closed_over_a_result_while_more_is_asked_for_is_mended(breakable: Address) -> None:
    await publish(breakable, [task("echo", f"t{n}") for n in range(4)])
    hands = Hands()
    async with connect(breakable) as broker:
        await broker.consume(hands, 2)
        await hands.have(2)
        broker.settle(hands.held[0], Completed(b"x" * (2 * SMALL_LIMIT)))
        for prefetch in range(3, 9):
            await broker.consume(hands, prefetch)

        await hands.have(6)  # the two again, and the rest
        assert broker.max_body == SMALL_LIMIT


async def test_publisher_interrupted_in_an_alarm_says_where_to_go_on(
    server: RabbitMQ, breakable: Address, tmp_path: Path
) -> None:
    with Place(tmp_path, breakable) as place:
        file = place.tasks([{"type": "echo"}] * 9000)  # more than are on their way at a time
        with alarm(server):
            interrupted = place.begin("publish", file)
            await interrupted.says("the broker is in alarm")
            assert interrupted.end(signal.SIGINT) == 130, interrupted.said

    assert "go on with: warrener publish tasks.jsonl" in interrupted.said
    assert "Traceback" not in interrupted.said


async def test_worker_in_an_alarm_says_so_and_goes_on_after(
    server: RabbitMQ, breakable: Address, tmp_path: Path
) -> None:
    await publish(breakable, [task("sleep_async", f"t{n}", seconds=0.2) for n in range(200)])
    with Place(tmp_path, breakable) as place:
        worker = place.begin("work", APP, "--processes", "1", "--drain")
        with alarm(server):
            await worker.says("the broker is in alarm")
            for words in (["status"], ["failures", "list"], ["doctor"]):
                assert place.warrener(*words).returncode == (1 if words == ["doctor"] else 0)
            stopped = place.begin("work", APP, "--processes", "1", "--grace", "1")
            await stopped.says("the broker is in alarm")
            assert stopped.end(signal.SIGTERM) == 75, stopped.said
        assert worker.end() == 0, worker.said
        assert worker.said.count("the broker is in alarm") == 1
        assert worker.said.count("the broker takes messages again") == 1

    rows = await results(breakable)
    assert {row["task_id"] for row in rows} == {f"t{n}" for n in range(200)}
