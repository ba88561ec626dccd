"""Rows as a table of pandas, which is imported when one is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from warrener.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warrener.api.rows import Result

_COLUMNS: Final = (
    "task_id", "origin", "type", "value", "attempts", "worker", "started_at", "processed_at", "duration",
)  # fmt: skip
_TIMES: Final = ("started_at", "processed_at")


def pandas() -> Any:
    """The module.

    Raises:
        UsageError: It is not installed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise UsageError("to_pandas needs pandas, which is not installed: `pip install pandas`") from None
    return pd


def frame(rows: Sequence[Result]) -> Any:
    """A `pandas.DataFrame` with a row for each. Raises: as `pandas`."""
    pd = pandas()
    columns = {name: [getattr(row, name) for row in rows] for name in _COLUMNS}
    for name in _TIMES:
        columns[name] = pd.to_datetime(columns[name], unit="s", utc=True)
    return pd.DataFrame(columns)
