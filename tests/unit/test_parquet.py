"""Results as a Parquet file: every row in its columns, and what fits no column is null."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from pyarrow import parquet

from warrener.errors import UsageError
from warrener.writers import parquet as written

ROW = {
    "task_id": "t1",
    "type": "resize",
    "status": "completed",
    "value": {"width": 1},
    "attempts": 2,
    "worker": "host-1",
    "started_at": 1_700_000_000.25,
    "processed_at": 1_700_000_001.5,
    "duration": 1.25,
    "history": [],
}


def _read(parts: list[bytes]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = parquet.read_table(io.BytesIO(b"".join(parts))).to_pylist()
    return rows


def test_rows_are_in_their_columns_and_come_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written, "_GROUP", 2)
    table = written.Table()
    odd = {
        "task_id": "odd",
        "type": 7,
        "value": None,
        "attempts": 1.5,
        "started_at": -1,
        "processed_at": 1e300,
        "duration": "long",
    }
    large = {"task_id": "large", "attempts": 2**70, "started_at": True, "duration": 3, "value": [2**70]}
    parts = [table.write([msgspec.json.encode(row)]) for row in (ROW, odd, large)]
    assert len(parts[1]) > 0
    rows = _read([*parts, table.finish()])

    assert rows[0] == {
        **{name: ROW[name] for name in ("task_id", "type", "status", "attempts", "worker", "duration")},
        "value": '{"width":1}',
        "started_at": datetime(2023, 11, 14, 22, 13, 20, 250_000, tzinfo=UTC),
        "processed_at": datetime(2023, 11, 14, 22, 13, 21, 500_000, tzinfo=UTC),
    }
    assert rows[1] == {**dict.fromkeys(rows[0]), "task_id": "odd"}
    assert rows[2] == {
        **dict.fromkeys(rows[0]),
        "task_id": "large",
        "duration": 3.0,
        "value": f"[{2**70}]",
    }


def test_no_rows_are_a_table_without_rows() -> None:
    assert _read([written.Table().finish()]) == []


def test_without_pyarrow_one_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install 'warrener\[parquet\]', or take CSV or JSONL"):
        written.Table()
