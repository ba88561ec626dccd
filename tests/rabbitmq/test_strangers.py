"""Messages and queues of programs that know nothing of Warrener."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pika
import pytest

from tests.batch import APP, drain, eventually, failures, publish, results
from tests.place import Place
from warrener import failures as failed_tasks
from warrener.brokers import connect
from warrener.failures import Choice

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pika.adapters.blocking_connection import BlockingChannel

    from warrener.address import Address


STRANGE_HEADERS: Final[list[dict[str, Any]]] = [
    {"warrener": {"attempts": 7}},
    {"warrener": [1]},
    {"warrener": 3},
    {"warrener": "no JSON"},
    {"warrener": '{"attempts": "many"}'},
    {"warrener": "{}", "x-delivery-count": "many"},
    {"x-delivery-count": -5},
    {"x-delivery-count": 1 << 40},
    {"x-delivery-count": {"a": 1}},
    {"x-death": "yesterday"},
    {"x-death": []},
    {"x-death": [{"time": 1}]},
    {"x-death": [{"reason": ["expired"], "time": "now"}]},
    {"x-death": [{"reason": "no such reason"}]},
]


@pytest.fixture
def channel(rabbit_address: Address) -> Iterator[BlockingChannel]:
    with pika.BlockingConnection(pika.URLParameters(rabbit_address.broker)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        yield channel


async def test_tasks_without_message_id_keep_their_own_ids(
    rabbit_address: Address, channel: BlockingChannel
) -> None:
    await publish(rabbit_address, [])
    ids = {f"t{number}" for number in range(6)}
    for task_id in ids:
        _send(channel, rabbit_address, {"id": task_id, "type": "permanent"})
    _send(channel, rabbit_address, {"type": "echo"})
    _send(channel, rabbit_address, {"type": "echo"})

    await drain(rabbit_address, processes=2)

    found = await failures(rabbit_address)
    assert ids < set(found)
    nameless = set(found) - ids
    assert len(nameless) == 2
    assert {found[name].reason for name in nameless} == {"invalid"}
    async with connect(rabbit_address) as broker:
        assert (await failed_tasks.retry(broker, Choice(frozenset(["t0", "t1"])))).count == 2
    await drain(rabbit_address)
    assert {name: failure.attempts for name, failure in (await failures(rabbit_address)).items()} == (
        dict.fromkeys(ids, 1) | dict.fromkeys(nameless, 0)
    )
    async with connect(rabbit_address) as broker:
        assert (await failed_tasks.discard(broker, Choice(frozenset(["t0", *nameless])))).count == 3
    assert set(await failures(rabbit_address)) == ids - {"t0"}


async def test_strange_headers_harm_nobody(rabbit_address: Address, channel: BlockingChannel) -> None:
    await publish(rabbit_address, [])
    for number, headers in enumerate(STRANGE_HEADERS):
        _send(channel, rabbit_address, {"id": f"good{number}", "type": "echo"}, headers=headers)
        _send(channel, rabbit_address, {"id": f"bad{number}", "type": "permanent"}, headers=headers)
        properties = pika.BasicProperties(message_id=f"put{number}", headers=headers)
        outcomes = f"{rabbit_address.queue}.outcomes"
        channel.basic_publish(outcomes, "failed", b'{"type": "echo"}', properties, mandatory=True)
    for _ in STRANGE_HEADERS:  # some come again, which makes the worker look at more of them
        channel.basic_get(rabbit_address.queue)
    channel.basic_nack(0, multiple=True, requeue=True)

    await drain(rabbit_address)

    numbers = range(len(STRANGE_HEADERS))
    assert {row["task_id"] for row in await results(rabbit_address)} == {f"good{n}" for n in numbers}
    found = await failures(rabbit_address)
    assert set(found) == {f"{kind}{n}" for n in numbers for kind in ("bad", "put")}
    assert {found[f"bad{n}"].reason for n in numbers} == {"permanent"}
    assert {found[f"put{n}"].reason for n in numbers} == {"permanent"}
    assert {found[f"put{n}"].message for n in numbers} == {"another program put it here, and did not say why"}


async def test_what_no_worker_had_is_told_as_it_was_and_the_same_at_each_look(
    rabbit_address: Address, channel: BlockingChannel
) -> None:
    await publish(rabbit_address, [])
    _send(channel, rabbit_address, {"id": "late", "type": "echo"}, message_id="late", expiration="1")
    _send(channel, rabbit_address, {"type": "nameless"}, expiration="1")
    _send(channel, rabbit_address, {"id": "no", "type": "echo"}, message_id="no")
    outcomes = f"{rabbit_address.queue}.outcomes"
    _send(channel, rabbit_address, {"type": "echo"}, exchange=outcomes, key="failed")
    _send(channel, rabbit_address, {"type": "permanent"}, exchange=outcomes, key="failed")
    taken, _, _ = channel.basic_get(rabbit_address.queue)  # those that expired are gone before
    assert taken
    channel.basic_reject(taken.delivery_tag, requeue=False)

    async def are_all_there() -> bool:
        return len(await failures(rabbit_address)) == 5

    await eventually(are_all_there)
    found = await failures(rabbit_address)

    assert "" not in found
    assert {failure.attempts for failure in found.values()} == {0}
    assert (found["late"].reason, found["late"].error) == ("cancelled", "Expired")
    assert found["late"].message.startswith("it expired before a worker took it")
    assert (found["no"].reason, found["no"].error) == ("permanent", "Rejected")
    by_others = {"another program put it here, and did not say why"}
    assert {found[name].message for name in found if found[name].type in {"echo", "permanent"}} > by_others
    assert await failures(rabbit_address) == found
    async with connect(rabbit_address) as broker:  # each goes its own way
        assert (await failed_tasks.retry(broker, Choice())).count == 5
    await drain(rabbit_address)
    assert {row["task_id"] for row in await results(rabbit_address)} > {"late", "no"}
    assert len(await results(rabbit_address)) == 3


def test_message_without_an_id_has_one_name(
    rabbit_address: Address, channel: BlockingChannel, tmp_path: Path
) -> None:
    with Place(tmp_path, rabbit_address) as place:
        assert place.warrener("setup").returncode == 0
        _send(channel, rabbit_address, {"type": "echo"})

        done = place.warrener("work", APP, "--drain")

        assert place.warrener("failures", "export", "-o", "failed.jsonl").returncode == 0
        (failure,) = place.rows("failed.jsonl")
        assert f"task {failure['task_id']!r} failed" in done.stderr


def test_rows_of_others_are_left_out_and_counted(
    rabbit_address: Address, channel: BlockingChannel, tmp_path: Path
) -> None:
    with Place(tmp_path, rabbit_address) as place:
        place.warrener("publish", place.tasks([{"type": "echo"}] * 3))
        for row in (
            b"no JSON",
            b"\xff",
            b"{}",
            b"[]",
            b'{"task_id": 5}',
            b'{"task_id": "x", "attempts": "y"}',
        ):
            channel.basic_publish(f"{rabbit_address.queue}.outcomes", "results", row, mandatory=True)
        foreign = b'{"task_id": "foreign"}'  # the least that is a row
        channel.basic_publish(f"{rabbit_address.queue}.outcomes", "results", foreign, mandatory=True)
        assert place.warrener("work", APP, "--drain").returncode == 0

        done = place.warrener("results", "-o", "out.jsonl")

        assert done.returncode == 0, done.stderr
        assert "4 tasks: 4 completed, 0 failed, 0 missing" in done.stderr
        assert "6 left out that no worker wrote" in done.stderr
        assert len(place.rows("out.jsonl")) == 4
        assert place.warrener("results", "--format", "csv").stdout.count("\n") == 5


def test_classic_queue_of_that_name_is_refused_in_one_sentence(
    rabbit_address: Address, channel: BlockingChannel, tmp_path: Path
) -> None:
    channel.queue_declare(rabbit_address.queue, durable=True)
    _send(channel, rabbit_address, {"type": "echo", "id": "a"}, exchange="", key=rabbit_address.queue)
    with Place(tmp_path, rabbit_address) as place:
        for words, code in ((["work", APP, "--drain"], 78), (["publish", "tasks.jsonl"], 3), (["setup"], 3)):
            place.tasks([{"type": "echo"}])

            done = place.warrener(*words)

            assert done.returncode == code, done.stderr
            assert len(done.stderr.splitlines()) < 5
            assert rabbit_address.queue in done.stderr.splitlines()[-1]
            assert "Traceback" not in done.stderr
    assert channel.queue_declare(rabbit_address.queue, passive=True).method.message_count == 1


async def test_two_tasks_may_share_a_message_id(rabbit_address: Address, channel: BlockingChannel) -> None:
    await publish(rabbit_address, [])
    for type_ in ("echo", "permanent"):
        for number in range(3):
            _send(channel, rabbit_address, {"id": f"{type_}{number}", "type": type_}, message_id="same")

    await drain(rabbit_address, processes=2)

    assert {row["task_id"] for row in await results(rabbit_address)} == {f"echo{n}" for n in range(3)}
    assert set(await failures(rabbit_address)) == {f"permanent{n}" for n in range(3)}
    async with connect(rabbit_address) as broker:
        bodies = [msgspec.json.decode(task.body)["id"] async for task in broker.failures()]
    assert sorted(bodies) == [f"permanent{n}" for n in range(3)]


def _send(
    channel: BlockingChannel,
    address: Address,
    task: dict[str, Any],
    *,
    exchange: str | None = None,
    key: str = "work",
    **properties: Any,
) -> None:
    body = json.dumps(task).encode()
    to = address.queue if exchange is None else exchange
    channel.basic_publish(to, key, body, pika.BasicProperties(**properties), mandatory=True)
