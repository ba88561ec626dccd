"""A table of failures that somebody has corrected, read as tasks again.

Its columns are those of the tasks' data; those that begin with `_warrener_` are the failure's own. Of these, the task's id,
type and priority are used, and what says how to read the cells; the rest is for people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from warrener.codec import NOT_JSON
from warrener.errors import InvalidTask
from warrener.models import DEFAULT_PRIORITY, Task

if TYPE_CHECKING:
    from warrener.codec import Identify

PREFIX: Final = "_warrener_"
ID: Final = f"{PREFIX}id"
TYPE: Final = f"{PREFIX}type"
PRIORITY: Final = f"{PREFIX}priority"
JSON: Final = f"{PREFIX}json"
"""The names of the columns whose cell in this row is JSON and not the text itself, as a JSON array."""
DATA: Final = f"{PREFIX}data"
"""Members of the data that are no columns, as a JSON object."""
PROTECTION: Final = "'"
"""Stands before an id or a type that a spreadsheet would run, or that begins with it."""

# What is no JSON any more but begins as this does was meant to be it.
_BEGINS_JSON: Final = ("{", "[", '"')


def corrected_task(cells: dict[str, str], task_type: str, identify: Identify) -> Task:
    """The task of a row. An empty cell is a member that is not there; where text has no bytes, the cell has `""`.

    Args:
        cells: By column.
        task_type: The type where the row names none.
        identify: Makes the id where the row names none.

    Raises:
        InvalidTask: A cell is not what its column has.
    """
    as_json = _decode(cells, JSON, list[str], [])
    data: dict[str, Any] = {
        name: _value(name, cell) if name in as_json else cell
        for name, cell in cells.items()
        if cell and not name.startswith(PREFIX)
    }
    data |= _decode(cells, DATA, dict[str, Any], {})
    own_type = cells.get(TYPE, "").removeprefix(PROTECTION) or task_type
    own_id = cells.get(ID, "").removeprefix(PROTECTION)
    priority = _decode(cells, PRIORITY, int, DEFAULT_PRIORITY)
    return Task(own_id or identify(own_type, data), own_type, data, priority)


def _value(name: str, cell: str) -> Any:
    """What a cell says that had JSON; other words may stand there by now."""
    try:
        # Spreadsheets write TRUE.
        return msgspec.json.decode(cell.lower() if cell in {"TRUE", "FALSE"} else cell)
    except NOT_JSON as error:
        if cell.startswith(_BEGINS_JSON):
            raise InvalidTask(f"column {name!r} is no JSON any more ({error})") from error
        return cell


def _decode(cells: dict[str, str], column: str, kind: Any, default: Any) -> Any:
    try:
        return msgspec.json.decode(cells[column], type=kind) if cells.get(column) else default
    except NOT_JSON as error:
        raise InvalidTask(f"column {column!r} is not as it was written ({error})") from error
