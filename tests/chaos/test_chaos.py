"""Everything is killed at random under a batch, and then each task is counted."""

from __future__ import annotations

import os
import random
import signal
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.batch import eventually
from tests.place import Place, children
from tests.rabbitmq_server import RabbitMQ
from warren.brokers import connect
from warren.errors import BrokerError
from warren.settings import Address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.place import Running

APP = str(Path(__file__).with_name("app.py"))
TASKS = 8000
WORKERS = 2
DEEDS = ["kill worker", "kill child", "stop worker"] * 3


@pytest.fixture
def server() -> Iterator[RabbitMQ]:
    with RabbitMQ() as server:
        yield server


async def test_whatever_dies_on_rabbitmq_each_task_is_one_row(server: RabbitMQ, tmp_path: Path) -> None:
    address = Address(server.url, f"test-{uuid.uuid4().hex[:12]}", server.management_url)
    with Place(tmp_path, address) as place:
        await _rage(place, server)


async def test_whatever_dies_on_the_embedded_broker_each_task_is_one_row(tmp_path: Path) -> None:
    with Place(tmp_path) as place:
        await _rage(place, None)


async def _rage(place: Place, server: RabbitMQ | None) -> None:
    seed = random.randrange(10**6)  # noqa: S311 - no secret
    print(f"seed {seed}")  # noqa: T201 - shown when it fails
    chance = random.Random(seed)  # noqa: S311 - likewise
    deeds = DEEDS + (["restart broker"] * 2 if server else [])
    chance.shuffle(deeds)
    file = place.tasks([{"id": f"t{n}", "type": "square", "data": {"n": n}} for n in range(TASKS)])
    publisher = place.begin("publish", file)
    await place.has_ready(1)
    publisher.end(signal.SIGKILL)
    publisher = place.begin("publish", file)
    workers = [await _worker(place) for _ in range(WORKERS)]
    for number, deed in enumerate(deeds, 1):
        await _is_done(place, number * TASKS // (len(deeds) + 1))
        victim = chance.randrange(WORKERS)
        if deed == "restart broker" and server:
            server.kill()
            server.start()
        elif deed == "kill child":
            await _kill_a_child(workers[victim], chance)
        else:
            how = signal.SIGKILL if deed == "kill worker" else signal.SIGTERM
            assert workers[victim].end(how) == (75 if how is signal.SIGTERM else -signal.SIGKILL)
            workers[victim] = await _worker(place)
    assert publisher.end() == 0
    for worker in workers:
        assert worker.end(signal.SIGTERM) == 75

    drained = place.warren("work", APP, "--drain")
    done = place.warren("results", "-o", "out.jsonl")

    assert drained.returncode == 0, drained.stderr
    assert f"{TASKS:,} tasks: {TASKS:,} completed, 0 failed, 0 missing" in done.stderr
    rows = place.rows("out.jsonl")
    assert {row["task_id"]: row["value"] for row in rows} == {f"t{n}": n * n for n in range(TASKS)}
    assert len(rows) == TASKS
    assert [worker.said for worker in workers if "Traceback" in worker.said] == []


async def _worker(place: Place) -> Running:
    worker = place.begin("work", APP, "--processes", "2")
    await _has_children(worker)
    return worker


async def _has_children(worker: Running) -> None:
    async def are_there() -> bool:
        return bool(children(worker.process.pid))

    await eventually(are_there)


async def _kill_a_child(worker: Running, chance: random.Random) -> None:
    """Kill the process that imported the app, or one of those that it forked."""
    await _has_children(worker)  # the last ones may have been killed just now
    victims = children(worker.process.pid)
    victims += [child for nursery in victims for child in children(nursery)]
    with suppress(ProcessLookupError, IndexError):  # it may have ended by itself in this moment
        os.kill(chance.choice(victims), signal.SIGKILL)


async def _is_done(place: Place, count: int) -> None:
    """Wait until so many tasks are done."""

    async def are_done() -> bool:
        with suppress(BrokerError):
            async with connect(place.address) as broker:
                return (await broker.counts()).completed >= count
        return False

    await eventually(are_done)
