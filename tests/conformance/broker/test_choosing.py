"""Failures chosen by what the task and its error say, and grouped by cause, on each broker."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

from tests.conformance.broker.steps import failed, take
from warrener import failures
from warrener.brokers import Broker, Failed, Message
from warrener.codec import encode, encode_task
from warrener.failures import Choice, Taken, Where, compiled
from warrener.models import Attempt, Reason, Record, Task
from warrener.sources import read

if TYPE_CHECKING:
    from pathlib import Path

ODD: dict[str, Any] = {
    "text": 'käse, "two\nlines"',
    "formula": "=1+1",
    "digits": "017",
    "number": -5,
    "on": True,
    "none": None,
    "empty": "",
    "list": [1, "a"],
    "object": {"a": {"b": 1}},
    "json": '{"a": 1}',
    "=name": 1,
    "": 2,
    "_warrener_id": 3,
    "'quote": "'=x",
}


async def fail(broker: Broker, *tasks: tuple[bytes, str, Reason, str, str]) -> None:
    """Have messages of these bodies and ids fail with this reason, error and message."""
    session = broker.publish_session()
    await session.publish([Message(body, name) for body, name, *_ in tasks])
    await session.flush()
    outcomes = {name: outcome for _, name, *outcome in tasks}
    hands = await take(broker, len(tasks))
    await broker.pause()
    for delivery in hands.held:
        reason, error, message = outcomes[delivery.id]
        attempt = Attempt(1, error, message, traceback=f"in main\n{error}: {message}")
        broker.settle(delivery, Failed(Record(1, 0, (attempt,)).fail(reason, 1000.5)))  # type: ignore[arg-type]
    await broker.settled()


def body(name: str, origin: str = "", **data: object) -> bytes:
    return encode_task(Task(name, "resize", data, 7, origin))


async def fail_in_two_regions(broker: Broker) -> None:
    await fail(
        broker,
        (body("a", "tasks.jsonl:1", region="eu"), "a", "exhausted", "OSError", "no '/x/a.jpg'"),
        (body("b", "tasks.jsonl:2", region="us"), "b", "exhausted", "OSError", "no '/x/b.jpg'"),
        (body("c", "tasks.jsonl:3", region="eu"), "c", "exhausted", "OSError", "timed out"),
        (b"no JSON", "d", "invalid", "InvalidTask", "JSON is malformed: invalid character (byte 1)"),
        (b"{}", "e", "invalid", "InvalidTask", "Object missing required field `type`"),
        (b'{"type": "t", "data": 1}', "f", "invalid", "InvalidTask", '"data" must be an object'),
    )


async def test_each_cause_is_a_group_however_many_tasks_it_hits(broker: Broker) -> None:
    await fail_in_two_regions(broker)
    groups = await failures.grouped(broker)
    assert [(group.reason, group.error, group.count) for group in groups] == [
        ("exhausted", "OSError", 2),
        ("exhausted", "OSError", 1),
        *[("invalid", "InvalidTask", 1)] * 3,
    ]
    first = groups[0]
    assert (first.fingerprint, first.first_failed_at, first.last_failed_at) == ("no <value>", 1000.5, 1000.5)
    assert (first.example_id, first.example_origin) == ("a", "tasks.jsonl:1")


async def test_only_what_fits_is_published_again_or_discarded(broker: Broker) -> None:
    await fail_in_two_regions(broker)
    eu = Choice(where=(Where.parse("data.region=eu"),))
    assert (await failures.retry(broker, eu)).count == 2
    assert await failed(broker) == ["b", "d", "e", "f"]
    assert (await failures.discard(broker, Choice(error_match=compiled("byte|`type`")))).count == 2
    assert await failed(broker) == ["b", "f"]


async def test_preview_says_what_would_be_taken_and_takes_nothing(broker: Broker) -> None:
    await fail_in_two_regions(broker)
    choice = Choice(frozenset(["a", "c", "d", "z"]), error_match=compiled("OSError: "))
    taken, groups = await failures.preview(broker, choice)
    assert taken == Taken(2, frozenset(["a", "c"]))
    assert [group.count for group in groups] == [1, 1]
    assert await failed(broker) == ["a", "b", "c", "d", "e", "f"]
    assert (await broker.counts()).ready == 0


async def test_table_of_failures_is_a_file_of_the_same_tasks(broker: Broker, tmp_path: Path) -> None:
    # Given failures whose data is odd in every way, and some that are no tasks
    odd = {f"odd-{number}": {name: value} for number, (name, value) in enumerate(ODD.items())}
    odd |= {"all": ODD, "=formula": {}, "'quoted": {}}
    await fail(
        broker,
        *(
            (body(name, "tasks.jsonl:7", **data), name, "exhausted", "=Error", "+1")
            for name, data in odd.items()
        ),
        (b"no JSON", "bytes", "invalid", "InvalidTask", "no"),
        (encode(["="]), "array", "invalid", "InvalidTask", "no"),
        (encode({"type": "t", "data": "="}), "no-data", "invalid", "InvalidTask", "no"),
    )
    # When they are written as a table
    file = tmp_path / "failed.csv"
    lines: list[bytes] = []
    assert await failures.write_table(failures.read(broker), lines.append) == len(odd) + 3
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    # Then each row that is a task is that task
    tasks = [line.task for line in read(str(file), on_invalid=lambda _: None)]
    again = {task.id: (task.type, task.priority, task.data) for task in tasks if task.id in odd}
    assert again == {name: ("resize", 7, data) for name, data in odd.items()}
    # And no cell begins as a formula does
    with file.open(newline="") as text:
        table = list(csv.reader(text))
    assert not [
        cell
        for row in table
        for cell in row
        if cell.startswith(("=", "+", "@", "\t", "\r", "\n", "-")) and cell != "-5"
    ]
    by_id = {row["_warrener_id"]: row for row in csv.DictReader(file.read_text().splitlines(keepends=True))}
    assert by_id["odd-2"]["digits"] == "017"
    assert by_id["odd-2"]["_warrener_origin"] == "tasks.jsonl:7"
    assert by_id["odd-2"]["_warrener_failed_at"] == "1970-01-01T00:16:40Z"
    assert by_id["bytes"]["_warrener_body"] == "bm8gSlNPTg=="


async def test_task_that_failed_in_two_wordings_is_shown_and_retried_in_both(broker: Broker) -> None:
    bodies = [encode_task(Task("a", "resize", {"v": n}, 5, "", f"w{n}")) for n in (1, 2)]
    failed_twice = [bodies[0], *bodies]
    await fail(broker, *((said, "a", "exhausted", "OSError", "no") for said in failed_twice))

    assert [found.wording async for found in failures.read(broker)] == ["w1", "w2"]
    await failures.retry(broker, Choice())

    assert [task async for task in broker.failures()] == []
    assert sorted(delivery.body for delivery in (await take(broker, 2)).held) == bodies
