"""Failures as a table for a spreadsheet: the task's data, and beside it what went wrong. Corrected, it is a file of tasks.

`warrener.sources.corrected` is its reader.
"""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any, Final

import msgspec

from warrener.codec import encode
from warrener.models import Failure
from warrener.sources.corrected import DATA, ID, JSON, PREFIX, PRIORITY, PROTECTION, TYPE
from warrener.text import utc
from warrener.writers import FORMULA, csv_cell, csv_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

_MAX_COLUMNS: Final = 200  # spreadsheets end at some point; what has more is no table
_IN_MEMORY: Final = 8 * 1024 * 1024
_OWN: Final = (
    ID,
    TYPE,
    PRIORITY,
    *(f"{PREFIX}{name}" for name in ("reason", "error", "message", "attempts", "failed_at", "origin")),
    DATA,
    JSON,
    f"{PREFIX}body",  # of what is no task, so that nothing is lost
)


async def write_table(failures: AsyncIterator[Failure], write_line: Callable[[bytes], None]) -> int:
    """Write failures as CSV; how many there were.

    All are read before the first is written, since the columns are those of any of them. They wait on disk.

    Args:
        failures: Which.
        write_line: Takes a line without its end.
    """
    columns: dict[str, None] = {}
    count = 0
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as aside:
        async for found in failures:
            for name in _data_of(found):
                if len(columns) < _MAX_COLUMNS and _may_be_column(name):
                    columns[name] = None
            aside.write(encode(found) + b"\n")
            count += 1
        write_line(csv_line([*columns, *_OWN]).removesuffix(b"\n"))
        aside.seek(0)
        for line in aside:
            cells = _cells(msgspec.json.decode(line, type=Failure), columns)
            write_line(csv_line([cells.get(name, "") for name in (*columns, *_OWN)]).removesuffix(b"\n"))
    return count


def _cells(found: Failure, columns: Iterable[str]) -> dict[str, str]:
    """What stands in each column that is not empty."""
    data, task = _data_of(found), found.task if isinstance(found.task, dict) else {}
    cells = {name: _cell(data[name]) for name in columns if name in data}
    others = {name: value for name, value in data.items() if name not in cells}
    as_json = [name for name, cell in cells.items() if cell != data[name]]
    return cells | {
        ID: _name(found.task_id),
        TYPE: _name(found.type),
        PRIORITY: csv_cell(task.get("priority")),
        f"{PREFIX}reason": found.reason,
        f"{PREFIX}error": csv_cell(found.error),
        f"{PREFIX}message": csv_cell(found.message),
        f"{PREFIX}attempts": str(found.attempts),
        f"{PREFIX}failed_at": "" if found.failed_at is None else utc(found.failed_at),
        f"{PREFIX}origin": csv_cell(found.origin),
        DATA: csv_cell(others or None),
        JSON: csv_cell(as_json or None),
        f"{PREFIX}body": "" if isinstance(task.get("data", {}), dict) and task else _body(found),
    }


def _data_of(found: Failure) -> dict[str, Any]:
    data = found.task.get("data") if isinstance(found.task, dict) else None
    return data if isinstance(data, dict) else {}


def _may_be_column(name: str) -> bool:
    return bool(name) and not name.startswith((PREFIX, *FORMULA))


def _cell(value: Any) -> str:
    """A value exactly: text as it is where it neither is nothing nor what a spreadsheet would run, and JSON otherwise."""
    is_plain = isinstance(value, str) and value and not value.startswith(FORMULA)
    return value if is_plain else encode(value).decode()


def _name(name: str) -> str:
    return f"{PROTECTION}{name}" if name.startswith((PROTECTION, *FORMULA)) else name


def _body(found: Failure) -> str:
    return found.body_base64 if found.body_base64 is not None else csv_cell(encode(found.task).decode())
