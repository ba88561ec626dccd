"""Plain AMQP programs beside Warrener: the scripts of docs/migrate.md, run as they stand there."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import pika
import pytest

from tests.batch import DELAYS, PATIENCE, drain, eventually, failures, publish, results, task
from tests.documents import Document, parse
from warrener.brokers import Message, connect
from warrener.codec import encode_task
from warrener.collector import collect
from warrener.models import Attempt, Record, Task
from warrener.worker.manifest import ChildSettings
from warrener.writers import ResultWriter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from pika.adapters.blocking_connection import BlockingChannel

    from warrener.address import Address

DOCUMENT: Final = Document("docs/migrate.md")
# What the document's scripts import as the user's own.
IMAGES: Final = """
from warrener import PermanentError

def resize(file, width=200):
    if file == "broken.png":
        raise PermanentError("no image")
    return {"file": file, "width": width}
"""


SCRIPTS: Final = DOCUMENT.files()


class Scripts:
    """The document's scripts in a directory, for one queue."""

    def __init__(self, directory: Path, address: Address) -> None:
        self.app = ChildSettings(str(directory / "app.py"))
        self._directory = directory
        self._environment = os.environ | {
            "WARRENER_BROKER": address.broker,
            "WARRENER_QUEUE": address.queue,
            "OLD_QUEUE": f"{address.queue}.old",
        }
        (directory / "images.py").write_text(IMAGES)
        for name, text in SCRIPTS.items():
            (directory / name).write_text(text)

    async def run(self, name: str) -> str:
        """What a script prints, at its end."""
        process = await self._start(name)
        async with asyncio.timeout(PATIENCE):
            output, _ = await process.communicate()
        assert process.returncode == 0
        return output.decode()

    @asynccontextmanager
    async def running(self, name: str) -> AsyncIterator[None]:
        """A script that has no end of its own."""
        process = await self._start(name)
        try:
            yield
            assert process.returncode is None
        finally:
            if process.returncode is None:
                process.terminate()
            await process.communicate()

    async def _start(self, name: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            name,
            cwd=self._directory,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
        )


@pytest.fixture
def scripts(tmp_path: Path, rabbit_address: Address) -> Scripts:
    return Scripts(tmp_path, rabbit_address)


@pytest.fixture
def channel(rabbit_address: Address) -> Iterator[BlockingChannel]:
    with pika.BlockingConnection(pika.URLParameters(rabbit_address.broker)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        yield channel


async def test_plain_producer_and_warrener_worker(scripts: Scripts, rabbit_address: Address) -> None:
    await publish(rabbit_address, [])

    await scripts.run("produce.py")
    await drain(rabbit_address, settings=scripts.app)

    rows = {row["task_id"]: row["value"] for row in await results(rabbit_address)}
    assert rows == {name: {"file": name, "width": 100} for name in ("a.png", "b.png")}
    failed = await failures(rabbit_address)
    assert {name: found.reason for name, found in failed.items()} == {"broken.png": "permanent"}


async def test_both_ways_into_the_queue(rabbit_address: Address, channel: BlockingChannel) -> None:
    await publish(rabbit_address, [])
    body = json.dumps({"id": "a", "type": "echo"}).encode()
    channel.basic_publish(rabbit_address.queue, "work", body, mandatory=True)
    properties = pika.BasicProperties(message_id="b", priority=9)
    channel.basic_publish("", rabbit_address.queue, b'{"type": "whole"}', properties, mandatory=True)

    await drain(rabbit_address)

    rows = {row["task_id"]: row["value"] for row in await results(rabbit_address)}
    assert rows == {"a": [0, ""], "b": {"id": "b", "type": "whole", "data": {}, "priority": 9}}


async def test_message_without_priority_waits_behind_the_default(
    rabbit_address: Address, channel: BlockingChannel
) -> None:
    await publish(rabbit_address, [])
    channel.basic_publish(rabbit_address.queue, "work", b'{"id": "plain", "type": "echo"}', mandatory=True)
    await publish(rabbit_address, [task("echo", "default"), task("echo", "low", 4), task("echo", "high", 6)])

    order = [json.loads(channel.basic_get(rabbit_address.queue, auto_ack=True)[2])["id"] for _ in range(4)]

    assert order == ["high", "default", "plain", "low"]


async def test_plain_consumer_works_for_warrener(scripts: Scripts, rabbit_address: Address) -> None:
    before = Record(attempts=1, history=(Attempt(1, "ValueError"),))
    tried = Message(encode_task(Task("c.png", "resize", {"file": "c.png"})), "c.png", 5, before)
    tasks = [task("resize", name, file=name) for name in ("a.png", "broken.png")]
    await publish(rabbit_address, [*tasks, tried])

    async with connect(rabbit_address) as broker, scripts.running("consume.py"):

        async def is_done() -> bool:
            counts = await broker.counts()
            return (counts.completed, counts.failed) == (2, 1)

        await eventually(is_done)

    file = io.BytesIO()
    async with connect(rabbit_address) as broker:
        summary = await collect(broker, ResultWriter(file, "jsonl"))
        assert await broker.drained()
    assert (summary.completed, summary.failed, summary.missing, summary.duplicates) == (2, 1, 0, 0)
    rows = {row["task_id"]: row for row in map(json.loads, file.getvalue().splitlines())}
    assert {name: row["attempts"] for name, row in rows.items()} == {"a.png": 1, "c.png": 2}
    assert rows["a.png"]["value"] == {"file": "a.png", "width": 200}
    (found,) = (await failures(rabbit_address)).values()
    assert (found.task_id, found.type, found.reason) == ("broken.png", "resize", "permanent")
    assert (found.error, found.message, found.attempts) == ("PermanentError", "no image", 1)


async def test_warrener_worker_goes_on_where_a_plain_consumer_delayed(
    rabbit_address: Address, channel: BlockingChannel
) -> None:
    await publish(rabbit_address, [])
    record = {"attempts": 1, "history": [{"number": 1, "error": "OSError", "message": "no disk"}]}
    channel.basic_publish(
        f"{rabbit_address.queue}.outcomes",
        f"delay.{DELAYS[0]}",
        b'{"id": "a", "type": "echo"}',
        pika.BasicProperties(message_id="a", headers={"warrener": json.dumps(record)}),
        mandatory=True,
    )

    await drain(rabbit_address)

    (row,) = await results(rabbit_address)
    assert (row["task_id"], row["attempts"], row["history"]) == ("a", 2, record["history"])


async def test_plain_consumer_and_warrener_worker_share_a_queue(
    scripts: Scripts, rabbit_address: Address
) -> None:
    names = [f"{number}.png" for number in range(300)]
    await publish(rabbit_address, [task("resize", name, file=name) for name in names])

    async with scripts.running("consume.py"):
        await drain(rabbit_address, settings=scripts.app)

        async def is_done() -> bool:
            return {row["task_id"] for row in await results(rabbit_address)} == set(names)

        await eventually(is_done)

    assert await failures(rabbit_address) == {}


async def test_plain_readers_use_nothing_up(scripts: Scripts, rabbit_address: Address) -> None:
    names = ["a.png", "b.png", "broken.png"]
    await publish(rabbit_address, [task("resize", name, file=name) for name in names])
    await drain(rabbit_address, settings=scripts.app)

    at_once = await asyncio.gather(*(scripts.run("read_results.py") for _ in range(2)))
    looks = [await scripts.run("read_failures.py") for _ in range(3)]

    rows = await results(rabbit_address)
    assert [_rows(output) for output in at_once] == [rows, rows]
    assert {row["task_id"] for row in rows} == {"a.png", "b.png"}
    assert len(set(looks)) == 1
    assert looks[0].startswith("broken.png\tpermanent\tPermanentError: no image\t{")
    assert list(await failures(rabbit_address)) == ["broken.png"]


async def test_bridge_from_an_old_queue(
    scripts: Scripts, rabbit_address: Address, channel: BlockingChannel
) -> None:
    await publish(rabbit_address, [])
    old = f"{rabbit_address.queue}.old"
    channel.queue_declare(old, exclusive=False)
    try:
        for message_id in ("a", "a", "b", None):
            properties = pika.BasicProperties(message_id=message_id)
            channel.basic_publish("", old, b'{"file": "a.png"}', properties, mandatory=True)
        async with connect(rabbit_address) as broker, scripts.running("bridge.py"):

            async def is_forwarded() -> bool:
                return (await broker.counts()).ready == 4

            await eventually(is_forwarded)
        assert channel.queue_declare(old, passive=True).method.message_count == 0
    finally:
        channel.queue_delete(old)

    await drain(rabbit_address, settings=scripts.app)

    ids = {row["task_id"] for row in await results(rabbit_address)}
    assert ids > {"a", "b"}
    assert len(ids) == 3


@pytest.mark.parametrize("block", DOCUMENT.blocks("python"), ids=lambda block: block.splitlines()[0])
def test_python_in_the_document_compiles(block: str) -> None:
    compile(block, "migrate.md", "exec")


@pytest.mark.parametrize("words", DOCUMENT.commands(), ids=" ".join)
def test_commands_in_the_document_exist(words: list[str]) -> None:
    parse(words)


def _rows(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]
