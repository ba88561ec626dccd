"""Parts of a queue that somebody deletes under those who use it: each says what is missing, and nothing is lost."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Final

import pika
import pytest

from tests.batch import APP, drain, eventually, failures, publish, results, task, until_written
from tests.place import Place
from warrener.brokers import connect
from warrener.brokers.names import Names
from warrener.errors import QueueMissing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pika.adapters.blocking_connection import BlockingChannel

    from tests.place import Running
    from warrener.address import Address

# What is deleted, and what the worker says then.
UNDER_A_WORKER: Final = {
    "work": "no queue '{queue}'",
    "results": "'{queue}.outcomes' leads nowhere for key 'results'",
    "failed": "'{queue}.outcomes' leads nowhere for key 'failed'",
    "delay": "'{queue}.outcomes' leads nowhere for key 'delay.50'",
    "outcomes": "no exchange '{queue}.outcomes'",
    "everything": "'{queue}'",
}


@pytest.fixture
def place(tmp_path: Path, rabbit_address: Address) -> Iterator[Place]:
    with Place(tmp_path, rabbit_address) as place:
        yield place


@pytest.fixture
def delete(rabbit_address: Address) -> Iterator[Callable[[str], None]]:
    """Deletes a part of the queue."""
    names = Names(rabbit_address.queue)
    queues = {
        "work": names.queue,
        "results": names.results,
        "failed": names.failed,
        "delay": names.delay(50),
    }
    exchanges = {"exchange": names.queue, "outcomes": names.outcomes}
    with pika.BlockingConnection(pika.URLParameters(rabbit_address.broker)) as connection:
        channel: BlockingChannel = connection.channel()

        def delete(part: str) -> None:
            for name, queue in queues.items():
                if part in (name, "everything"):
                    channel.queue_delete(queue)
            for name, exchange in exchanges.items():
                if part in (name, "everything"):
                    channel.exchange_delete(exchange)

        yield delete


async def test_what_was_in_a_deleted_work_queue_is_published_again(
    place: Place, delete: Callable[[str], None]
) -> None:
    place.tasks([{"type": "echo", "data": {"value": n}} for n in range(3)])
    assert place.warrener("publish", "tasks.jsonl").returncode == 0
    delete("work")
    assert place.warrener("publish", "tasks.jsonl").returncode == 0
    await place.has_ready(3)


@pytest.mark.parametrize("part", UNDER_A_WORKER)
async def test_worker_says_what_is_missing_and_acknowledges_nothing(
    place: Place, delete: Callable[[str], None], part: str
) -> None:
    gate, log = place.path / "gate", place.path / "log"
    messages = [
        task("wait_for", "waits", 9, file=str(gate), log=str(log)),
        task("permanent", "fails"),
        task("fail_until", "fails-once", file=str(place.path / "calls"), times=1),
        *(task("echo", f"t{n}") for n in range(20)),
    ]
    if part == "delay":
        messages[1:2] = []  # it would fail the sooner
    elif part == "failed":
        messages[2:3] = []
    await publish(place.address, messages)
    worker = place.begin("work", APP, "--processes", "1", "--concurrency", "1")
    await until_written(log, 1)
    delete(part)
    gate.touch()

    assert worker.end() == 78, worker.said
    sentence = worker.said.splitlines()[-1]
    assert sentence.startswith("warrener: ")
    assert UNDER_A_WORKER[part].format(queue=place.address.queue) in sentence
    assert "`warrener setup`" in sentence
    assert "Traceback" not in worker.said

    assert place.warrener("setup", APP).returncode == 0
    if part in ("work", "everything"):  # the tasks were deleted, too
        await publish(place.address, messages)
    drained = place.warrener("work", APP, "--drain", "--processes", "2")
    assert drained.returncode == 0, drained.stderr
    rows = {str(row["task_id"]) for row in await results(place.address)}
    failed = set(await failures(place.address))
    assert rows | failed == {message.id for message in messages}
    assert not rows & failed


@pytest.mark.parametrize(
    ("part", "missing"),
    [
        ("work", "exchange '{queue}' leads nowhere for key 'work'"),
        ("exchange", "no exchange '{queue}'"),
        ("everything", "no exchange '{queue}'"),
    ],
)
async def test_publisher_says_what_is_missing_and_where_to_go_on(
    place: Place, delete: Callable[[str], None], part: str, missing: str
) -> None:
    publisher = place.begin("publish", "-", stdin=subprocess.PIPE)
    stdin = publisher.process.stdin
    assert stdin
    stdin.write(b'{"type": "echo"}\n' * 10)
    stdin.flush()
    await publisher.says("10 confirmed")
    delete(part)
    stdin.write(b'{"type": "echo"}\n' * 10)
    stdin.close()

    assert publisher.end() == 3
    *_, go_on, sentence = publisher.said.splitlines()
    assert go_on.startswith("10 tasks are confirmed; go on with: warrener publish - --start-line 11")
    assert missing.format(queue=place.address.queue) in sentence
    assert "`warrener setup`" in sentence


@pytest.mark.parametrize("part", ["work", "results", "failed", "everything"])
async def test_watcher_says_what_is_missing(place: Place, delete: Callable[[str], None], part: str) -> None:
    await publish(place.address, [task("echo", f"t{n}") for n in range(3)])
    watcher = place.begin("status", "--watch")
    await watcher.says("ready 3")
    delete(part)

    assert watcher.end() == 3
    _says_that_is_missing(watcher, part, place.address)


@pytest.mark.parametrize(
    "part",
    [
        "work",
        "failed",
        # Results are waited for, since they may be made anew.
        pytest.param("results", marks=pytest.mark.long),
        pytest.param("everything", marks=pytest.mark.long),
    ],
)
async def test_follower_says_what_is_missing(place: Place, delete: Callable[[str], None], part: str) -> None:
    await publish(place.address, [task("echo", "done")])
    await drain(place.address)
    await publish(place.address, [task("echo", f"t{n}") for n in range(3)])
    follower = place.begin("results", "--follow", "-o", "out.jsonl")

    async def has_read() -> bool:
        return any(file.read_text() for file in place.path.glob(".out.jsonl.*"))

    await eventually(has_read)
    delete(part)

    assert follower.end() == 3
    _says_that_is_missing(follower, part, place.address)
    assert not (place.path / "out.jsonl").exists()


@pytest.mark.parametrize("part", ["results", "everything"])
async def test_results_that_stay_away_are_waited_for_only_so_long(
    rabbit_address: Address, delete: Callable[[str], None], part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warrener.brokers.rabbitmq.stream.AGAIN_FOR", 1)
    await publish(rabbit_address, [task("echo", "done")])
    await drain(rabbit_address)
    read: list[bytes] = []

    async def follow() -> None:
        async with connect(rabbit_address) as broker:
            async for rows in broker.results(follow=True):
                read.extend(rows)
                if rows:
                    delete(part)

    with pytest.raises(QueueMissing, match="`warrener setup`"):
        await follow()
    assert len(read) == 1


def _says_that_is_missing(reader: Running, part: str, address: Address) -> None:
    names = Names(address.queue)
    missing = {"work": f"{names.queue}'", "results": f"{names.results}'", "failed": f"{names.failed}'"}
    sentence = reader.said.splitlines()[-1]
    assert f"no queue '{missing.get(part, names.queue)}" in sentence
    assert "`warrener setup`" in sentence
