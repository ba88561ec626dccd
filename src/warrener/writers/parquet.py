"""Rows of results as a Parquet file (`pip install 'warrener[parquet]'`), written in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from warrener.errors import UsageError
from warrener.extras import missing
from warrener.writers.formats import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence

_GROUP: Final = 5_000
"""Rows in a row group: so many are in memory until they are written."""
_MICROSECONDS: Final = 1_000_000
_LATEST: Final = 253_402_300_799  # seconds since the epoch: no calendar has a later time
_MOST: Final = 1 << 62


def check_installed() -> None:
    """Raise a UsageError where pyarrow is not installed."""
    try:
        from pyarrow import parquet  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise UsageError(f"{missing('Parquet needs', 'parquet')}, or take CSV or JSONL") from error


class Table:
    """A Parquet file that is being written; its bytes are taken away as they are made.

    It has the columns of a table in CSV: texts, `value` as JSON, times in UTC to the microsecond, `attempts` as a whole number,
    `duration` in seconds. What a row does not have, or has in another type, is null.

    Raises:
        UsageError: pyarrow is not installed.
    """

    def __init__(self) -> None:
        check_installed()
        import pyarrow as pa
        from pyarrow import parquet

        at = pa.timestamp("us", tz="UTC")
        kinds = {
            "attempts": pa.int64(),
            "started_at": at,
            "processed_at": at,
            "duration": pa.float64(),
        }
        self._schema = pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])
        self._arrow = pa
        self._sink = _Sink()
        self._file = parquet.ParquetWriter(
            pa.PythonFile(self._sink, mode="w"), self._schema, compression="zstd"
        )
        self._columns: list[list[Any]] = [[] for _ in COLUMNS]

    def write(self, rows: Sequence[bytes]) -> bytes:
        """Add rows, each one a JSON object; the bytes that are made of these and of those before, if any. It takes a while."""
        for row in rows:
            members = msgspec.json.decode(row)
            for name, column in zip(COLUMNS, self._columns, strict=True):
                column.append(_cell(name, members.get(name)))
        if len(self._columns[0]) >= _GROUP:
            self._write_group()
        return self._sink.taken()

    def finish(self) -> bytes:
        """What ends the file."""
        if self._columns[0]:
            self._write_group()
        self._file.close()
        return self._sink.taken()

    def _write_group(self) -> None:
        columns, self._columns = self._columns, [[] for _ in COLUMNS]
        arrays = [
            self._arrow.array(column, kind) for column, kind in zip(columns, self._schema.types, strict=True)
        ]
        self._file.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))


class _Sink:
    """A file that keeps what was not taken yet, as pyarrow writes to it."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def write(self, part: bytes) -> int:
        self._parts.append(bytes(part))
        self._size += len(part)
        return len(part)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        """There is nothing to do."""

    def close(self) -> None:
        """There is nothing to close."""

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _cell(name: str, value: Any) -> Any:
    """A member of a row as its column takes it."""
    if name == "value":
        return None if value is None else msgspec.json.encode(value).decode()
    if name in {"started_at", "processed_at", "duration", "attempts"}:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (is_number and -_MOST < value < _MOST):
            return None
        if name == "attempts":
            return value if isinstance(value, int) else None
        if name == "duration":
            return float(value)
        return int(value * _MICROSECONDS) if 0 <= value <= _LATEST else None
    return value if isinstance(value, str) else None
