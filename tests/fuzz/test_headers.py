"""Headers and properties of messages: forged ones do no harm."""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from pika.data import decode_value, encode_table
from pika.spec import BasicProperties

from tests.fuzz.strategies import amqp_values, records
from warrener.brokers.protocol import DELIVERY_BACKSTOP
from warrener.brokers.rabbitmq.amqp.properties import _UNREADABLE, Properties
from warrener.brokers.rabbitmq.failed_task import failed_task
from warrener.codec import decode_failure, decode_record, encode, encode_record
from warrener.models import KEPT_ATTEMPTS, MAX_MESSAGE, MAX_TRACEBACK, Attempt, Record
from warrener.retry import RetryPolicy

FRAME = 131_072
_NAMES = ["warrener", "x-delivery-count", "x-death", "x-stream-offset"]
_keys = st.sampled_from(_NAMES) | st.text(st.characters(codec="utf-8"), max_size=20)
headers = st.dictionaries(_keys, amqp_values, max_size=5)

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


def properties(table: bytes, priority: int | None = None, message_id: bytes | None = None) -> Properties:
    """Properties as they come, with these headers."""
    flags = BasicProperties.FLAG_CONTENT_TYPE | BasicProperties.FLAG_HEADERS
    content = b"\4text" + struct.pack(">I", len(table)) + table
    if priority is not None:
        flags |= BasicProperties.FLAG_PRIORITY
        content += bytes([priority])
    if message_id is not None:
        flags |= BasicProperties.FLAG_MESSAGE_ID
        content += bytes([len(message_id)]) + message_id
    return Properties(struct.pack(">H", flags) + content)


def packed(found: dict[str, Any]) -> bytes:
    pieces: list[bytes] = []
    encode_table(pieces, found)
    return b"".join(pieces[1:])


@given(headers)
@example({"x-delivery-count": 2**62})
@example({"x-delivery-count": -1})
def test_headers_tell_a_record_and_a_count(found: dict[str, Any]) -> None:
    some = properties(packed(found))
    assert some.lost in range(DELIVERY_BACKSTOP + 2)
    assert isinstance(decode_record(some.record), Record)


@given(headers, st.none() | st.integers(0, 255), st.none() | st.binary(max_size=255), st.binary())
@example({"x-death": "yesterday"}, None, b"\xff" * 255, b"{}")
@example({"x-death": [{"time": b"x"}]}, None, None, b"{}")
def test_any_failed_message_is_a_failure(
    found: dict[str, Any], priority: int | None, message_id: bytes | None, body: bytes
) -> None:
    task = failed_task(properties(packed(found), priority, message_id), body)
    assert task.record.reason
    assert isinstance(decode_failure(task.body, task.id, task.record).task_id, str)
    assert len(task.id.encode()) <= 255


@given(records, st.integers(0, DELIVERY_BACKSTOP + 1), st.integers(0, 20))
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


@given(st.lists(fields, max_size=6), st.binary(max_size=20), st.integers(0, 255))
@example([(b"x", _ODD_FIELDS[0]), (b"y", b"V")], b"m", 3)
@example([(b"x", NESTED)], b"m", 3)
def test_headers_that_cannot_be_read_keep_no_other_from_being_read(
    table: list[tuple[bytes, bytes]], message_id: bytes, priority: int
) -> None:
    own = b"\x08warrenerS\0\0\0\2{}"
    others = [(key, value) for key, value in table if key != b"warrener"]
    raw = b"".join(bytes([len(key)]) + key + value for key, value in others)

    found = properties(raw + own, priority, message_id)

    assert found.priority == priority
    assert found.record in ("{}", b"{}")
    for key, value in dict(reversed(others)).items():
        with suppress(UnicodeDecodeError):
            told, wanted = found.header(key.decode()), _read(value)
            assert told == wanted or told != told  # noqa: PLR0124 - no number


@given(st.binary(max_size=60))
@example(b"\x08warrenerS\xff\xff\xff\xff{}")
@example(b"\xff")
def test_table_that_is_none_has_no_headers(table: bytes) -> None:
    found = properties(table)
    assert isinstance(decode_record(found.record), Record)
    assert found.lost in range(DELIVERY_BACKSTOP + 2)


def _read(value: bytes) -> Any:
    try:
        return decode_value(value, 0)[0]
    except _UNREADABLE:
        return None
