"""What breaks between a worker and a RabbitMQ, and what becomes of the tasks."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import pika
import pytest

from tests.batch import (
    APP,
    DELAYS,
    PATIENCE,
    Hands,
    drain,
    eventually,
    failures,
    publish,
    results,
    task,
    until_written,
)
from tests.rabbitmq.cutting import cut
from warrener.address import Address
from warrener.brokers import Message, connect
from warrener.brokers.names import Names
from warrener.brokers.protocol import Completed
from warrener.brokers.rabbitmq import RabbitBroker
from warrener.brokers.rabbitmq.topology import queue_arguments
from warrener.codec import encode, encode_task
from warrener.errors import AccessRefused, QueueMismatch
from warrener.exit_codes import Exit
from warrener.models import Record, Task
from warrener.worker.manifest import ChildSettings
from warrener.worker.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


async def test_running_task_survives_a_cut_connection(rabbit_address: Address, tmp_path: Path) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"
    await publish(rabbit_address, [task("wait_for", f"t{n}", file=str(gate), log=str(log)) for n in range(3)])
    async with connect(rabbit_address) as broker:
        supervisor = Supervisor(broker, ChildSettings(APP), processes=2, drain=True)
        await supervisor.start()
        running = asyncio.create_task(supervisor.run())
        await until_written(log, 2)
        cut(broker)
        gate.touch()
        assert await running is Exit.DRAINED

    rows = await results(rabbit_address)
    assert sorted(row["task_id"] for row in rows) == ["t0", "t1", "t2"]
    assert {row["attempts"] for row in rows} == {1}
    assert len(log.read_text().splitlines()) == 3  # none ran twice


async def test_copies_of_a_task_survive_a_cut_connection_each_for_itself(
    rabbit_address: Address, tmp_path: Path
) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"
    copy = task("wait_for", "t", file=str(gate), log=str(log))
    await publish(rabbit_address, [copy, copy])
    async with connect(rabbit_address) as broker:
        assert isinstance(broker, RabbitBroker)
        supervisor = Supervisor(broker, ChildSettings(APP), processes=2, drain=True)
        await supervisor.start()
        running = asyncio.create_task(supervisor.run())
        await until_written(log, 2)
        await _cut_and_mended(broker)
        gate.touch()
        assert await running is Exit.DRAINED

    assert [row["attempts"] for row in await results(rabbit_address)] == [1, 1]
    assert len(log.read_text().splitlines()) == 2


@pytest.mark.parametrize("workers", [1, 2])
async def test_task_outlives_twenty_cuts_at_no_cost(
    rabbit_address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr("warrener.brokers.rabbitmq.topology.CRASH_DELAY", (100, 200))
    gate, log = tmp_path / "gate", tmp_path / "log"
    await publish(rabbit_address, [task("wait_for", "t", file=str(gate), log=str(log))])
    async with AsyncExitStack() as stack:
        at_work = [await stack.enter_async_context(_working(rabbit_address)) for _ in range(workers)]
        await until_written(log, 1)

        async def is_held(lost: int) -> bool:
            all_consume = all(broker._consuming for _, broker in at_work)
            return all_consume and any(_lost(supervisor) == lost for supervisor, _ in at_work)

        await eventually(partial(is_held, 0))
        for cuts in range(1, 21):
            # As in a restart of the broker, all are cut before the task is delivered again.
            for _, broker in sorted(at_work, key=lambda each: _lost(each[0]) is not None):
                await _cut_and_mended(broker)
            await eventually(partial(is_held, cuts))
        gate.touch()

        async def has_ended() -> bool:
            return bool(await results(rabbit_address)) or bool(await failures(rabbit_address))

        await eventually(has_ended)

    assert await failures(rabbit_address) == {}
    (row,) = await results(rabbit_address)
    assert (row["task_id"], row["attempts"], row.get("history", [])) == ("t", 1, [])
    assert len(log.read_text().splitlines()) <= workers


async def test_connections_cut_under_load_lose_nothing(rabbit_address: Address) -> None:
    await publish(rabbit_address, [task("echo", f"t{n}", number=n) for n in range(6000)])
    async with connect(rabbit_address) as broker:
        supervisor = Supervisor(broker, ChildSettings(APP), processes=2, drain=True)
        await supervisor.start()
        running = asyncio.create_task(supervisor.run())
        for after in (500, 2000, 4000):
            while supervisor.settled["completed"] < after:
                await asyncio.sleep(0.01)
            cut(broker)
        assert await running is Exit.DRAINED

    rows = await results(rabbit_address)
    assert {row["task_id"] for row in rows} == {f"t{n}" for n in range(6000)}
    assert await failures(rabbit_address) == {}


async def test_second_cut_before_tasks_came_back_from_the_first_costs_them_nothing(
    rabbit_address: Address, tmp_path: Path
) -> None:
    waiting = [task("echo", f"t{n}", 1) for n in range(40)]
    await publish(rabbit_address, waiting)
    async with _at_work(rabbit_address, tmp_path) as worker:
        await worker.holds(41)
        await _cut_and_mended(worker.broker)
        await _cut_and_mended(worker.broker)

    rows = {row["task_id"]: row["attempts"] for row in await results(rabbit_address)}
    assert rows == dict.fromkeys([*(message.id for message in waiting), *worker.ids], 1)


async def test_what_another_worker_lost_is_told_even_after_a_cut(
    rabbit_address: Address, tmp_path: Path
) -> None:
    await publish(rabbit_address, [task("echo", "t", 1)])
    hands = Hands()
    async with AsyncExitStack() as until_lost:
        other = await until_lost.enter_async_context(connect(rabbit_address))
        await other.consume(hands, 1)
        await hands.have(1)
        async with _at_work(rabbit_address, tmp_path) as worker:
            # Only now: if it were back before the other one runs, it would run first, and none would be held beside it.
            await until_lost.aclose()
            await worker.holds(2)
            await _cut_and_mended(worker.broker)

    rows = {row["task_id"]: row for row in await results(rabbit_address)}
    assert [attempt["error"] for attempt in rows["t"]["history"]] == ["WorkerLost"]
    assert (rows["t"]["attempts"], rows["w"]["attempts"]) == (2, 1)


async def test_task_that_shares_its_message_id_with_one_that_has_ended_comes_back(
    rabbit_address: Address,
) -> None:
    both = [Message(encode_task(Task(name, "echo")), "shared", 5) for name in ("ended", "held")]
    await publish(rabbit_address, both)
    hands = Hands()
    async with connect(rabbit_address) as broker:
        await broker.consume(hands, 2)
        await hands.have(2)
        broker.settle(hands.held[0], Completed(b'{"task_id":"ended"}'))
        await broker.settled()
        cut(broker)
        await hands.have(3)

    assert hands.held[2].body == both[1].body


async def test_results_that_are_away_as_in_a_purge_are_waited_for(
    rabbit_address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A busy machine takes longer to make them anew.
    monkeypatch.setattr("warrener.brokers.rabbitmq.settling._MADE_WITHIN", PATIENCE)
    await publish(rabbit_address, [task("echo", f"t{n}") for n in range(3000)])
    async with connect(rabbit_address) as broker, connect(rabbit_address) as other:
        assert isinstance(broker, RabbitBroker)
        assert isinstance(other, RabbitBroker)
        supervisor = Supervisor(broker, ChildSettings(APP), processes=2, drain=True)
        await supervisor.start()
        running = asyncio.create_task(supervisor.run())
        while supervisor.settled["completed"] < 500:
            await asyncio.sleep(0.01)
        channel = await (await other._connections.connection()).channel()
        await channel.call("queue_delete", Names(rabbit_address.queue).results)

        async def is_missed() -> bool:
            assert broker._consuming
            return broker._consuming._settling._missing_since is not None

        await eventually(is_missed)
        await other.declare(DELAYS)
        assert await running is Exit.DRAINED

    assert len(await results(rabbit_address)) > 0


async def test_two_killed_supervisors_lose_nothing(rabbit_address: Address, tmp_path: Path) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"
    waiting = [task("wait_for", f"w{n}", 9, file=str(gate), log=str(log)) for n in range(4)]
    await publish(rabbit_address, [*waiting, *(task("echo", f"t{n}") for n in range(200))])
    words = [
        sys.executable,
        "-m",
        "warrener",
        "work",
        APP,
        "--processes",
        "2",
        "--queue",
        rabbit_address.queue,
    ]
    workers = [
        subprocess.Popen(words, env={"WARRENER_BROKER": rabbit_address.broker}, stderr=subprocess.DEVNULL)  # noqa: ASYNC220 - it is waited for below
        for _ in range(2)
    ]
    await until_written(log, 4)
    for worker in workers:
        worker.kill()
        worker.wait()
    gate.touch()

    await drain(rabbit_address, is_patient=True)

    rows = await results(rabbit_address)
    assert {row["task_id"] for row in rows} == {f"w{n}" for n in range(4)} | {f"t{n}" for n in range(200)}
    by_id = {row["task_id"]: row for row in rows}
    assert {by_id[f"w{n}"]["attempts"] for n in range(4)} == {2}
    assert by_id["w0"]["history"][0]["error"] == "WorkerLost"


async def test_where_the_broker_counts_returns_they_cost_nothing_either(
    rabbit_address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warrener.brokers.rabbitmq.consuming.counts_returns", lambda _: True)  # as before 4.3
    gate, log = tmp_path / "gate", tmp_path / "log"
    waiting = [task("wait_for", f"t{n}", file=str(gate), log=str(log)) for n in range(5)]
    lost = Record().add_lost(2)
    suspect = Message(encode_task(Task("s", "echo")), "s", 5, lost)
    await publish(rabbit_address, [*waiting, suspect])
    async with connect(rabbit_address) as broker:
        supervisor = Supervisor(broker, ChildSettings(APP), processes=2, grace=0)
        await supervisor.start()
        running = asyncio.create_task(supervisor.run())
        await until_written(log, 1)
        supervisor.stop()
        assert await running is Exit.STOPPED
    gate.touch()

    await drain(rabbit_address)

    rows = {row["task_id"]: row for row in await results(rabbit_address)}
    assert {name: row["attempts"] for name, row in rows.items()} == {f"t{n}": 1 for n in range(5)} | {"s": 3}
    assert rows["s"]["history"] == [json.loads(encode(attempt)) for attempt in lost.history]


async def test_other_arguments_are_named_with_the_way_out(rabbit_address: Address) -> None:
    with pika.BlockingConnection(pika.URLParameters(rabbit_address.broker)) as connection:
        names = Names(rabbit_address.queue)
        arguments = queue_arguments(names, (4, 3), [])[names.queue] | {"x-delivery-limit": 7}
        connection.channel().queue_declare(names.queue, durable=True, arguments=arguments)
    async with connect(rabbit_address) as broker:
        with pytest.raises(QueueMismatch, match=r"x-delivery-limit = 7, wanted is 100.*warrener delete"):
            await broker.declare(DELAYS)


async def test_wrong_password_is_refused_without_repeating_it(rabbit_address: Address) -> None:
    broker = rabbit_address.broker.replace("@", "wrong@")
    with pytest.raises(AccessRefused, match="wrong name or password") as caught:
        async with connect(Address(broker, rabbit_address.queue)):
            pass
    assert rabbit_address.credentials[1] not in str(caught.value)


async def test_scripts_publish_and_read(rabbit_address: Address) -> None:
    import warrener

    def script() -> list[object]:
        broker, queue = rabbit_address.broker, rabbit_address.queue
        count = warrener.publish((Task(f"t{n}", "echo") for n in range(10)), broker=broker, queue=queue)
        assert count == 10
        asyncio.run(drain(rabbit_address))
        return [row["task_id"] for row in warrener.results(broker=broker, queue=queue)]

    assert sorted(map(str, await asyncio.to_thread(script))) == sorted(f"t{n}" for n in range(10))


class _AtWork(NamedTuple):
    """A worker that runs one task, and fetches others ahead."""

    supervisor: Supervisor
    broker: RabbitBroker
    ids: list[str]
    """Of the tasks that were published to bring it there."""

    async def holds(self, count: int) -> None:
        """Wait until it has so many tasks in its hands."""

        async def are_held() -> bool:
            return self.supervisor.held == count

        await eventually(are_held)


@asynccontextmanager
async def _at_work(address: Address, directory: Path) -> AsyncIterator[_AtWork]:
    """Its task ends with the block, and it drains the queue; what has a priority below 5 comes after that task."""
    gate, log = directory / "gate", directory / "log"
    fast = [task("echo", f"fast{n}", 9) for n in range(300)]  # after which many are fetched ahead
    await publish(address, [*fast, task("wait_for", "w", file=str(gate), log=str(log))])
    async with connect(address) as broker:
        assert isinstance(broker, RabbitBroker)
        supervisor = Supervisor(broker, ChildSettings(APP, concurrency=1), processes=1, drain=True)
        await supervisor.start()
        running = asyncio.create_task(supervisor.run())
        await until_written(log, 1)
        yield _AtWork(supervisor, broker, [*(message.id for message in fast), "w"])
        gate.touch()
        assert await running is Exit.DRAINED


@asynccontextmanager
async def _working(address: Address) -> AsyncIterator[tuple[Supervisor, RabbitBroker]]:
    async with connect(address) as broker:
        assert isinstance(broker, RabbitBroker)
        supervisor = Supervisor(broker, ChildSettings(APP), processes=1)
        await supervisor.start()
        running = asyncio.create_task(supervisor.run())
        yield supervisor, broker
        supervisor.stop()
        assert await running is Exit.STOPPED


def _lost(supervisor: Supervisor) -> int | None:
    """How often the task that runs there was lost; None where it runs none whose delivery it has."""
    for attempt in supervisor._pool.unfinished:
        if not supervisor._dispatcher.redelivery.is_orphaned(attempt):
            return attempt.delivery.lost
    return None


async def _cut_and_mended(broker: RabbitBroker) -> None:
    """Cut, and wait until tasks are consumed over another connection."""
    assert broker._consuming
    before = broker._consuming._channel
    cut(broker)

    async def is_mended() -> bool:
        assert broker._consuming
        return broker._consuming._channel not in (None, before)

    await eventually(is_mended)
