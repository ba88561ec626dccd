"""What an operator does to a broker while it is used: nobody ends for it, and nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING

import pytest

from tests.batch import APP, eventually
from tests.place import Place
from warrener.brokers import connect
from warrener.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.rabbitmq_server import RabbitMQ
    from warrener.address import Address

TASKS = 1500


@pytest.fixture
def place(tmp_path: Path, breakable: Address) -> Iterator[Place]:
    with Place(tmp_path, breakable) as place:
        yield place


def _close_connections(server: RabbitMQ) -> None:
    server.ctl("close_all_connections", "a reason of the operator's")


def _maintain(server: RabbitMQ) -> None:
    server.ctl("drain", tool="rabbitmq-upgrade")
    server.ctl("revive", tool="rabbitmq-upgrade")


def _restart_app(server: RabbitMQ) -> None:
    server.ctl("stop_app")
    server.ctl("start_app")


def _restart(server: RabbitMQ) -> None:
    server.stop()
    server.start()


def _collect_garbage(server: RabbitMQ) -> None:
    server.ctl("force_gc")


@pytest.mark.parametrize("deed", [_close_connections, _maintain, _restart_app, _restart, _collect_garbage])
async def test_everybody_goes_on(place: Place, server: RabbitMQ, deed: object) -> None:
    assert callable(deed)
    over = place.path / "over"
    tasks = [{"id": f"t{n}", "type": "sleep_async", "data": {"seconds": 0.05}} for n in range(TASKS - 1)]
    last = {"id": "last", "type": "wait_for", "data": {"file": str(over), "log": str(place.path / "log")}}
    publisher = place.begin("publish", place.tasks([*tasks, last]))
    await place.has_ready(1)
    others = [
        place.begin("work", APP, "--processes", "1"),
        place.begin("results", "--follow", "-o", "out.jsonl"),
        place.begin("status", "--watch"),
    ]
    await _is_done(place, TASKS // 10)

    await asyncio.to_thread(deed, server)

    over.touch()
    assert publisher.end() == 0, publisher.said
    worker, follower, watcher = others
    assert follower.end() == 0, follower.said
    assert watcher.end() == 0, watcher.said
    assert ("connecting again" in worker.said) == (deed is not _collect_garbage)
    assert worker.end(signal.SIGTERM) == 75
    assert len(place.rows("out.jsonl")) == TASKS
    assert {row["task_id"] for row in place.rows("out.jsonl")} == {task["id"] for task in (*tasks, last)}
    assert [one.said for one in (publisher, *others) if "Traceback" in one.said] == []


async def _is_done(place: Place, count: int) -> None:
    """Wait until so many tasks are done."""

    async def are_done() -> bool:
        with contextlib.suppress(BrokerError):
            async with connect(place.address) as broker:
                return (await broker.counts()).completed >= count
        return False

    await eventually(are_done)
