"""What a message can make a worker do: run the handler of its type with its data, and nothing else."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

import pika
import pytest

from tests.batch import APP, drain, eventually, failures, publish, results
from tests.security.strangers import send, task
from warrener import failures as failed_tasks
from warrener.brokers import connect
from warrener.loader import load

if TYPE_CHECKING:
    from pika.adapters.blocking_connection import BlockingChannel

    from tests.place import Place
    from warrener.address import Address

EVIL: Final = "open('ran', 'w').close()\n"
TYPES: Final = [
    "*",
    "evil",
    "evil:app",
    "evil.py",
    "os.system",
    "__import__",
    "__init__",
    "load",
    "../evil",
    "Task",
]


def test_a_type_loads_no_code(place: Place) -> None:
    (place.path / "evil.py").write_text(EVIL)
    tasks: list[dict[str, Any]] = [{"type": name, "id": name, "data": {"app": "evil.py"}} for name in TYPES]
    tasks.append({"type": "echo", "id": "a", "data": {"text": "evil"}})

    done = place.warrener("run", APP, place.tasks(tasks))

    assert f"1 completed, {len(TYPES)} failed" in done.stderr
    assert f"failed, unknown-type: {len(TYPES)}" in done.stderr
    assert not (place.path / "ran").exists()


@pytest.mark.parametrize(
    "data",
    [
        {"__class__": "evil"},
        {"self": 1},
        {"task": {"id": "forged"}},
        {"number": {"__reduce__": ["os.system", "x"]}},
        {"text": ["a"]},
    ],
)
def test_data_is_bound_to_declared_arguments_alone(data: dict[str, Any]) -> None:
    handler = load(APP).handlers["echo"]
    with pytest.raises(Exception, match="data does not fit"):
        handler.bind("a", "echo", 5, json.dumps(data).encode())


def test_data_cannot_stand_in_for_the_task_itself() -> None:
    bound = load(APP).handlers["whole"].bind("a", "whole", 5, b'{"task": {"id": "forged"}, "self": 1}')
    assert list(bound) == ["task"]
    assert bound["task"].id == "a"


SHOW: Final = """\
import json, os, sys
print(json.dumps({"words": sys.argv[1:], "env": dict(os.environ), "task": json.loads(sys.stdin.read())}))
"""


async def test_a_command_gets_the_task_on_stdin_and_nowhere_else(
    rabbit_address: Address, channel: BlockingChannel, rabbit_place: Place
) -> None:
    (rabbit_place.path / "show.py").write_text(SHOW)
    await publish(rabbit_address, [])
    hostile = "$(touch ran); `touch ran` | touch ran\n--help hostile-mark"
    headers = {
        "hostile-mark": "hostile-mark",
        "LD_PRELOAD": "hostile-mark",
        "warrener": '{"worker": "hostile-mark"}',
    }
    properties = pika.BasicProperties(headers=headers, app_id="hostile-mark", reply_to="hostile-mark")
    body = {"id": hostile, "type": hostile, "data": {"LD_PRELOAD": hostile}}
    send(channel, rabbit_address, body, properties)

    done = rabbit_place.warrener(
        "work", "--exec", f"{sys.executable} show.py fixed", "--drain", "--processes", "1"
    )

    assert done.returncode == 0, done.stderr
    (row,) = await results(rabbit_address)
    assert row["value"]["words"] == ["fixed"]
    assert "hostile-mark" not in json.dumps(row["value"]["env"])
    assert row["value"]["task"] == {**body, "priority": 5}
    assert not (rabbit_place.path / "ran").exists()


# Every property by which a message steers where it goes, when it ends, or who is said to have sent it.
def steering(spy: str, user: str) -> pika.BasicProperties:
    return pika.BasicProperties(
        headers={
            "CC": [spy],
            "BCC": [spy],
            "x-first-death-exchange": spy,
            "x-death": [{"queue": spy}],
            "x-delay": 1,
        },
        reply_to=spy,
        correlation_id=spy,
        expiration="86400000",
        user_id=user,
        type=spy,
        app_id=spy,
    )


async def test_what_steers_a_message_is_not_carried_on(
    rabbit_address: Address, channel: BlockingChannel
) -> None:
    """A spy can be reached from every exchange of the queue by a key of its own name, and none of them takes it."""
    await publish(rabbit_address, [])
    spy = channel.queue_declare("", exclusive=True).method.queue
    for exchange in (rabbit_address.queue, f"{rabbit_address.queue}.outcomes"):
        channel.queue_bind(spy, exchange, spy)
    user = str(pika.URLParameters(rabbit_address.broker).credentials.username)
    for type_ in ("echo", "fail", "permanent", "no such type", "exit_"):
        send(channel, rabbit_address, task(type_, type_), steering(spy, user))
    channel.basic_publish(rabbit_address.queue, "work", b"no JSON", steering(spy, user), mandatory=True)
    channel.queue_purge(spy)  # what a stranger sends there is the stranger's business, not the worker's

    await drain(rabbit_address)

    assert channel.queue_declare(spy, passive=True).method.message_count == 0
    assert {row["task_id"] for row in await results(rabbit_address)} == {"echo"}
    assert len(await failures(rabbit_address)) == 5
    for _, properties, _ in [channel.basic_get(f"{rabbit_address.queue}.failed") for _ in range(5)]:
        assert set(properties.headers) <= {"warrener", "x-delivery-count", "x-acquired-count"}
        carried = {
            name: getattr(properties, name)
            for name in ("reply_to", "correlation_id", "expiration", "user_id", "type", "app_id")
        }
        assert carried == dict.fromkeys(carried)
    channel.basic_nack(0, multiple=True, requeue=True)
    async with connect(rabbit_address) as broker:
        assert (await failed_tasks.retry(broker, failed_tasks.Choice())).count == 5
    assert channel.queue_declare(spy, passive=True).method.message_count == 0


async def test_what_the_broker_itself_dead_letters_goes_to_the_failures_alone(
    rabbit_address: Address, channel: BlockingChannel
) -> None:
    await publish(rabbit_address, [])
    spy = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(spy, f"{rabbit_address.queue}.outcomes", spy)
    headers = {"CC": [spy, "results", "delay.1000"], "BCC": [spy, "results", "delay.1000"]}
    send(channel, rabbit_address, task("a"), pika.BasicProperties(headers=headers, expiration="1"))

    async def has_failed() -> bool:
        return bool(await failures(rabbit_address))

    await eventually(has_failed)
    assert set(await failures(rabbit_address)) == {"a"}
    assert channel.queue_declare(spy, passive=True).method.message_count == 0
    async with connect(rabbit_address) as broker:
        counts = await broker.counts()
    assert (counts.completed, counts.delayed, counts.failed) == (0, 0, 1)
