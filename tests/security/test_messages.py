"""A hostile producer may write any message to the work queue: it spoils its own tasks, and nothing else."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any, Final

import pika
import pytest

from tests.batch import drain, failures, publish, results
from tests.security.strangers import Wired, field, nested, send, task
from warrener.models import KEPT_ATTEMPTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pika.adapters.blocking_connection import BlockingChannel

    from tests.place import Place
    from warrener.address import Address

DEEP: Final = b"[" * 100_000 + b"]" * 100_000
BODIES: Final = [
    b'{"id":"x","type":"echo","priority":5,"data":{"number":%b}}' % DEEP,  # deep data
    b'{"id":"x","type":%b}' % DEEP,  # deep type
    b'{"type":%b}' % (b"[" * 990 + b"]" * 990),  # deeper than Python
    b'{"id":"x","type":"echo","priority":5,"data":{"text":"\xff"}}',  # no UTF-8 in data
    b"\xff\xfe\x00",  # no UTF-8 at all
    b'{"id":"\\ud800","type":"echo"}',  # half a surrogate
    b'{"id":"x","type":"echo","data":{"number":%b}}' % (b"9" * 10_000),  # digits without end
    b'{"id":"x","type":"echo","data":{"number":1e999}}',  # a number too large
    b"",  # nothing
]
# What a producer may claim about a task's past.
RECORDS: Final[list[dict[str, Any]]] = [
    # attempts below zero
    {"attempts": -10},
    # lost below zero
    {"lost": -10},
    # more lost than attempts
    {"attempts": 1, "lost": 5},
    # attempts without end
    {"attempts": 10**30},
    # times that no calendar has
    {
        "attempts": 1,
        "failed_at": 1e300,
        "reason": "permanent",
        "history": [{"number": 1, "error": "E", "started_at": -1e300, "duration": 1e300}],
    },
    # a history as long as a header may be
    {
        "attempts": 1,
        "history": [{"number": 1, "error": "E", "message": "\u20ac" * 43_000}],
    },
    # text of many bytes in every attempt but the first
    {
        "attempts": 1,
        "history": [
            {"number": number, "error": "E", "message": "\u20ac" * (4700 if number else 1)}
            for number in range(10)
        ],
    },
    # many attempts
    {"attempts": 1, "history": [{"number": 1, "error": "E" * 20}] * 2000},
]
HEADERS: Final = [
    field(b"n", b"T", struct.pack(">Q", 1 << 62)),  # a time that no calendar has
    field(b"n", b"A", nested(4000)[1:]),  # arrays in arrays
    field(b"warrener", b"S", struct.pack(">I", 2) + b"\xff\xfe"),  # a record that is no UTF-8
    field(b"\xff", b"t", b"\1"),  # a name that is no UTF-8
]


@pytest.fixture
def looked_at(rabbit_place: Place) -> Iterator[None]:
    """At the end every look at the failures is possible."""
    yield
    for words in (["list"], ["list", "--json"], ["export"], ["show", "bad 0"], ["show", "--json", "bad 0"]):
        done = rabbit_place.warrener("failures", *words)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr


async def test_bodies_that_cannot_be_read_are_invalid_failures(
    rabbit_address: Address, channel: BlockingChannel, looked_at: None
) -> None:
    await publish(rabbit_address, [])
    for number, body in enumerate(BODIES):
        send(channel, rabbit_address, task(f"good {number}"))
        send(channel, rabbit_address, body, pika.BasicProperties(message_id=f"bad {number}"))

    await drain(rabbit_address, processes=2)

    numbers = range(len(BODIES))
    assert {row["task_id"] for row in await results(rabbit_address)} == {f"good {n}" for n in numbers}
    found = await failures(rabbit_address)
    assert set(found) == {f"bad {n}" for n in numbers}
    assert {failure.reason for failure in found.values()} == {"invalid"}
    assert {failure.attempts for failure in found.values()} == {0}


async def test_a_made_up_past_harms_nobody(
    rabbit_address: Address, channel: BlockingChannel, looked_at: None
) -> None:
    await publish(rabbit_address, [])
    for number, record in enumerate(RECORDS):
        past = pika.BasicProperties(headers={"warrener": json.dumps(record, ensure_ascii=False)})
        send(channel, rabbit_address, task(f"good {number}"), past)
        send(channel, rabbit_address, task(f"bad {number}", "fail"), past)

    await drain(rabbit_address, processes=2)

    numbers = range(len(RECORDS))
    assert {row["task_id"] for row in await results(rabbit_address)} == {f"good {n}" for n in numbers}
    found = await failures(rabbit_address)
    assert set(found) == {f"bad {n}" for n in numbers}
    assert {failure.reason for failure in found.values()} == {"exhausted"}
    assert {failure.attempts for failure in found.values()} <= {4, 5}  # a past that can be is believed
    assert max(len(failure.history) for failure in found.values()) <= KEPT_ATTEMPTS


async def test_headers_that_python_cannot_hold_harm_nobody(
    rabbit_address: Address, channel: BlockingChannel, looked_at: None
) -> None:
    await publish(rabbit_address, [])
    for number, table in enumerate(HEADERS):
        for body in (task(f"good {number}"), task(f"bad {number}", "permanent"), {"type": "echo"}):
            send(channel, rabbit_address, body, Wired(table, message_id=b"\xff"))  # which is no text

    await drain(rabbit_address, processes=2)

    numbers = range(len(HEADERS))
    assert {row["task_id"] for row in await results(rabbit_address)} == {f"good {n}" for n in numbers}
    found = await failures(rabbit_address)
    assert {found.pop(f"bad {n}").reason for n in numbers} == {"permanent"}
    assert [failure.reason for failure in found.values()] == ["invalid"] * len(HEADERS)
