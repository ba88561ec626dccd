"""Headers and properties of messages: forged ones do no harm."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from pika.data import decode_value
from pika.spec import BasicProperties

from tests.fuzz.strategies import amqp_values, records, texts
from warren.brokers.protocol import DELIVERY_LIMIT
from warren.brokers.rabbitmq.headers import UNREADABLE, readable
from warren.brokers.rabbitmq.outbox import times_lost, travelled_id, travelled_record
from warren.brokers.rabbitmq.reading import _failed_task
from warren.retries import RetryPolicy
from warren.tasks import (
    KEPT_ATTEMPTS,
    MAX_MESSAGE,
    MAX_TRACEBACK,
    Attempt,
    Record,
    decode_record,
    encode,
    encode_record,
    failure,
)

FRAME = 131_072
_NAMES = ["warren", "x-delivery-count", "x-death", "x-stream-offset"]
headers = st.dictionaries(st.sampled_from(_NAMES) | texts, amqp_values, max_size=5)

NESTED = b"V"
for _ in range(2000):
    NESTED = b"A" + struct.pack(">I", len(NESTED)) + NESTED
_ODD_FIELDS = [
    b"T" + struct.pack(">Q", 2**63),
    b"T" + struct.pack(">Q", 2**40),
    b"d" + struct.pack(">d", float("nan")),
    b"f" + struct.pack(">f", float("inf")),
    b"D\xff" + struct.pack(">i", -1),
    b"S\0\0\0\2\xff\xfe",
    b"A\0\0\0\1?",
    b"F\0\0\0\0",
    b"V",
    b"t\1",
    b"s\1\2",
    NESTED,
]
fields = st.tuples(
    st.binary(max_size=10),
    st.sampled_from(_ODD_FIELDS)
    | st.integers(-(2**63), 2**63 - 1).map(lambda n: b"l" + struct.pack(">q", n)),
)


@given(headers)
@example({"x-delivery-count": 10**30})
@example({"x-delivery-count": -1})
def test_headers_tell_a_record_and_a_count(found: dict[str, Any]) -> None:
    assert times_lost(found) in range(DELIVERY_LIMIT + 2)
    assert isinstance(decode_record(travelled_record(found)), Record)


@given(headers, st.none() | st.integers(0, 255), st.none() | texts | st.binary(max_size=255), st.binary())
@example({"x-death": "yesterday"}, None, b"\xff" * 255, b"{}")
@example({"x-death": [{"time": b"x"}]}, None, None, b"{}")
def test_any_failed_message_is_a_failure(
    found: dict[str, Any], priority: int | None, message_id: str | bytes | None, body: bytes
) -> None:
    properties = SimpleNamespace(headers=found, priority=priority, message_id=message_id)
    task = _failed_task(properties, body)
    assert task.record.reason
    assert isinstance(failure(task.body, task.id, task.record).task_id, str)


@given(st.binary(max_size=255))
@example(b"\xff" * 255)
def test_message_id_that_is_no_text_still_fits_into_a_property(found: bytes) -> None:
    assert len(travelled_id(BasicProperties(message_id=found)).encode()) <= 255


@given(records, st.integers(0, DELIVERY_LIMIT + 1), st.integers(0, 20))
@example(b'{"attempts": 1' + b"0" * 30 + b"}", 0, 3)
@example(b'{"attempts": -5}', 0, 3)
@example(b'{"attempts": 1, "lost": 7}', 0, 3)
@example(b'{"history": [{"number": 1, "error": "' + b"\\u0000" * 20_000 + b'"}]}', 6, 3)
@example(b'{"failed_at": 1e300, "reason": "crashed"}', 0, 3)
def test_forged_record_does_no_harm(header: bytes, lost: int, retries: int) -> None:
    record = decode_record(header)
    assert 0 <= record.lost <= record.attempts <= 10**9
    assert len(record.history) <= KEPT_ATTEMPTS

    before = record.add_lost(lost)
    longest = Attempt(before.attempts + 1, "E", '"' * MAX_MESSAGE, "host:1", 0.0, 1.0, "\n" * MAX_TRACEBACK)
    after = before.add(longest)
    delay = RetryPolicy(retries, 0.001).delay(after.attempts - after.lost)
    assert delay is None or delay > 0
    travelled = encode_record(after.fail("exhausted"))

    assert len(travelled) < FRAME - 1024
    again = decode_record(travelled)
    assert (again.attempts, again.lost, again.reason) == (after.attempts, after.lost, "exhausted")
    assert again.history[-1] == longest
    assert encode(again.replay())


@given(st.lists(fields, max_size=6), st.text(st.characters(codec="ascii"), max_size=20), st.integers(0, 255))
@example([(b"x", _ODD_FIELDS[0]), (b"y", b"V")], "m", 3)
@example([(b"x", NESTED)], "m", 3)
def test_only_headers_that_cannot_be_read_are_left_out(
    table: list[tuple[bytes, bytes]], message_id: str, priority: int
) -> None:
    raw = b"".join(bytes([len(key)]) + key + value for key, value in table)
    flags = (
        BasicProperties.FLAG_CONTENT_TYPE
        | BasicProperties.FLAG_HEADERS
        | BasicProperties.FLAG_PRIORITY
        | BasicProperties.FLAG_MESSAGE_ID
    )
    content = b"\4text" + struct.pack(">I", len(raw)) + raw + bytes([priority])
    name = message_id.encode()
    content = struct.pack(">H", flags) + content + bytes([len(name)]) + name

    properties = BasicProperties()
    properties.decode(readable(content))

    assert (properties.content_type, properties.priority, properties.message_id) == (
        "text",
        priority,
        message_id,
    )
    assert len(properties.headers) == len({key for key, value in table if _can_be_read(value)})


@given(st.binary(max_size=20))
def test_properties_without_headers_stay_as_they_are(rest: bytes) -> None:
    content = struct.pack(">H", BasicProperties.FLAG_MESSAGE_ID) + bytes([len(rest)]) + rest
    assert readable(content) == content


def _can_be_read(value: bytes) -> bool:
    try:
        decode_value(value, 0)
    except UNREADABLE:
        return False
    return True
