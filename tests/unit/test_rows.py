"""Rows as they are read: whatever somebody else wrote, a row that is passed on is one line of JSON."""

from __future__ import annotations

import msgspec
import pytest

from warrener.models import Result
from warrener.rows import Summary, _Whole, readable_rows


def test_all_that_a_worker_writes_is_looked_into_at_once() -> None:
    assert set(_Whole.__struct_fields__) == set(Result.__struct_fields__)


@pytest.mark.parametrize(
    "line",
    [
        b'{"task_id":"a"}',
        b'{"task_id":"a","value":[null],"attempts":3}',
        b'{"task_id":"a","somebody":"else","value":{"x":1}}',
    ],
)
def test_row_is_read_as_it_came(line: bytes) -> None:
    summary = Summary()
    (row,) = readable_rows([line], summary)
    assert (row.task_id, row.line, summary.strange) == ("a", line, 0)


@pytest.mark.parametrize("member", ["value", "worker", "somebody"])
@pytest.mark.parametrize(
    "value", [b'"\xff"', b"1e999", b"01", b'"\x01"', b"[" * 5000 + b"]" * 5000, b"nul", b'"\\ud800"', b""]
)
def test_what_others_could_not_read_is_no_row(member: str, value: bytes) -> None:
    summary = Summary()
    line = b'{"task_id":"a","%s":%s}' % (member.encode(), value)
    assert readable_rows([line], summary) == []
    assert summary.strange == 1


def test_row_of_several_lines_becomes_one() -> None:
    (row,) = readable_rows([b'{\n"task_id": "a\\n"\r\n}'], Summary())
    assert msgspec.json.decode(row.line) == {"task_id": "a\n"}
    assert b"\n" not in row.line
    assert b"\r" not in row.line
