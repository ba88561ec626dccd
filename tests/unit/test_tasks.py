from __future__ import annotations

import gzip
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warrener.codec import decode_record, decode_task, encode, encode_task, open_envelope
from warrener.errors import InvalidTask
from warrener.models import KEPT_ATTEMPTS, MAX_MESSAGE, MAX_TRACEBACK, Attempt, Record, Task
from warrener.text import cut

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=10,
)
data = st.dictionaries(st.text(st.characters(codec="utf-8")), values, max_size=5)


@given(names, names, data, st.integers(0, 9))
def test_any_task_survives_the_journey(
    id_: str, type_: str, arguments: dict[str, Any], priority: int
) -> None:
    task = Task(id_, type_, arguments, priority)

    body = encode_task(task)

    assert decode_task(body) == task
    envelope = open_envelope(body, "", None)
    assert (envelope.id, envelope.type, envelope.priority) == (id_, type_, priority)
    assert msgspec.json.decode(envelope.data) == arguments


@given(
    st.binary() | values.map(encode) | data.map(lambda members: encode({"type": "t", "id": "i"} | members))
)
def test_any_bytes_are_a_task_or_invalid(body: bytes) -> None:
    for read in (lambda: decode_task(body, identify=lambda *_: "x"), lambda: open_envelope(body, "x", 5)):
        with suppress(InvalidTask):  # any other error fails the test
            assert read().id


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "no JSON"),
        ("[]", "must be a JSON object"),
        ("{}", '"type" is missing'),
        ('{"type": 1}', '"type" must be a string, not a number'),
        ('{"type": "t", "priority": 10}', "from 0 to 9, not 10"),
        ('{"type": "t", "priority": true}', "whole number"),
        ('{"type": "t", "data": []}', '"data" must be an object, not an array'),
        ('{"type": "t", "width": 3}', "unknown member 'width'"),
        ('{"type": "t", "id": ""}', '"id" is empty'),
        ('{"type": "t", "id": "' + "x" * 256 + '"}', "256 bytes"),
    ],
)
def test_invalid_line_says_why(line: str, why: str) -> None:
    with pytest.raises(InvalidTask, match=why):
        decode_task(line.encode(), identify=lambda *_: "x")


def test_id_may_be_left_out_only_where_one_is_made() -> None:
    with pytest.raises(InvalidTask, match='"id" is missing'):
        decode_task(b'{"type": "t"}')


def test_properties_give_what_the_body_leaves_out() -> None:
    envelope = open_envelope(b'{"type": "t"}', "from-property", 8)
    assert (envelope.id, envelope.priority, bytes(envelope.data)) == ("from-property", 8, b"{}")


def test_packed_body_is_called_so() -> None:
    with pytest.raises(InvalidTask, match="it is packed with gzip; tasks are plain JSON"):
        open_envelope(gzip.compress(b'{"type": "t"}'), "packed", 5)


@given(st.lists(st.tuples(st.text(), st.text()), max_size=15))
def test_record_fits_into_one_frame_whatever_errors_say(errors: list[tuple[str, str]]) -> None:
    record = Record()
    for number, (message, trace) in enumerate(errors, 1):
        record = record.add(
            Attempt(
                number,
                "E",
                cut(message * 200, MAX_MESSAGE),
                traceback=cut(trace * 1000, MAX_TRACEBACK, keep_end=True),
            )
        )

    header = encode(record)

    assert len(header) < 120_000
    assert decode_record(header) == record
    assert record.attempts == len(errors)
    assert len(record.history) == min(len(errors), KEPT_ATTEMPTS)


@given(st.text(st.characters()), st.integers(1, 50))
def test_cut_text_is_bounded_and_printable(text: str, limit: int) -> None:
    short = cut(text, limit)
    assert len(short.encode()) <= limit
    assert all(character.isprintable() or character in "\n\t" for character in short)


def test_foreign_header_is_no_record() -> None:
    assert decode_record("not ours") == Record()
    assert decode_record(None) == Record()


def test_replay_keeps_history_and_counts_anew() -> None:
    record = Record().add(Attempt(1, "E")).add_lost(2).fail("exhausted")
    assert (record.attempts, record.lost) == (3, 2)
    again = record.replay()
    assert (again.attempts, again.lost, again.reason, len(again.history)) == (0, 0, None, 3)
