"""What an operator does to a broker while it is used: nobody ends for it, and nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from tests.batch import APP, eventually
from tests.place import Place
from warrener.brokers import connect
from warrener.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.place import Running
    from tests.rabbitmq_server import RabbitMQ
    from warrener.address import Address

TASKS: Final[list[dict[str, object]]] = [{"type": "sleep_async", "data": {"seconds": 0.1}}] * 100


@pytest.fixture
def place(tmp_path: Path, breakable: Address) -> Iterator[Place]:
    with Place(tmp_path, breakable) as place:
        yield place


def _close_connections(server: RabbitMQ) -> None:
    server.call(
        'rabbit_networking:close_connections(rabbit_networking:connections(), "a reason of the operator\'s")'
    )


def _maintain(server: RabbitMQ) -> None:
    server.call("rabbit_maintenance:drain()")
    server.call("rabbit_maintenance:revive()")


def _restart_app(server: RabbitMQ) -> None:
    server.call("rabbit:stop()")
    server.call("rabbit:start()")


def _restart(server: RabbitMQ) -> None:
    server.stop()
    server.start()


def _collect_garbage(server: RabbitMQ) -> None:
    server.call("rabbit_runtime:gc_all_processes()")


async def test_everybody_goes_on(place: Place, server: RabbitMQ) -> None:
    over = place.path / "over"
    publisher = place.begin("publish", "-", stdin=subprocess.PIPE)
    # Nobody may think that all is done until it is.
    feed(publisher, {"type": "wait_for", "data": {"file": str(over), "log": str(place.path / "log")}})
    await place.has_ready(1)
    others = [
        place.begin("work", APP, "--processes", "1"),
        place.begin("results", "--follow", "-o", "out.jsonl"),
        place.begin("status", "--watch"),
    ]
    worker, follower, watcher = others
    count = 1
    for deed in (_collect_garbage, _close_connections, _maintain, _restart_app, _restart):
        before = worker.said
        feed(publisher, *TASKS)
        await _is_done(place, count + len(TASKS) // 10 - 1)
        await asyncio.to_thread(deed, server)
        feed(publisher, *TASKS)
        count += 2 * len(TASKS)
        await _is_done(place, count - 1)
        is_connected_anew = "connecting again" in worker.said[len(before) :]
        assert is_connected_anew == (deed is not _collect_garbage), deed
        assert [one.said for one in (publisher, *others) if one.process.poll() is not None] == [], deed

    over.touch()
    assert publisher.process.stdin
    publisher.process.stdin.close()
    assert publisher.end() == 0, publisher.said
    assert follower.end() == 0, follower.said
    assert watcher.end() == 0, watcher.said
    assert worker.end(signal.SIGTERM) == 75
    rows = place.rows("out.jsonl")
    assert len(rows) == len({row["task_id"] for row in rows}) == count
    assert [one.said for one in (publisher, *others) if "Traceback" in one.said] == []


def feed(publisher: Running, *tasks: dict[str, object]) -> None:
    """Let these be published, too."""
    stdin = publisher.process.stdin
    assert stdin
    assert publisher.process.poll() is None, publisher.said
    stdin.write(b"".join(json.dumps(task).encode() + b"\n" for task in tasks))
    stdin.flush()


async def _is_done(place: Place, count: int) -> None:
    """Wait until so many tasks are done."""

    async def are_done() -> bool:
        with contextlib.suppress(BrokerError):
            async with connect(place.address) as broker:  # one for as long as it lasts: each costs both sides
                while (await broker.counts()).completed < count:
                    await asyncio.sleep(0.1)
                return True
        return False

    await eventually(are_done)
