"""Tables and scalars of pandas in Python's terms."""

from __future__ import annotations

import sys
from typing import Any

from warrener.values.simpler import Simpler, Unwritable


def of_pandas(value: Any) -> Simpler | None:  # noqa: PLR0911 - one for each kind
    """What a value of pandas is; None of any other."""
    pd = sys.modules.get("pandas")
    if pd is None or not hasattr(pd, "DataFrame"):  # it is only being imported
        return None
    if value is pd.NaT or value is pd.NA:
        return Simpler(None, is_plain=True)
    if isinstance(value, pd.Timestamp | pd.Timedelta):
        return Simpler(value.isoformat(), is_plain=True)
    if isinstance(value, pd.Period):
        return Simpler(str(value), is_plain=True)
    if isinstance(value, pd.DataFrame):
        return Simpler(_rows(pd, value))
    if isinstance(value, pd.Series):
        return Simpler(_column(value) if _has_row_numbers(pd, value) else _by_label(value))
    if isinstance(value, pd.Index | pd.api.extensions.ExtensionArray):
        return Simpler(list(value))
    return None


def _rows(pd: Any, frame: Any) -> list[dict[Any, Any]]:
    """An object for each row; what labels the rows is in it, too, unless these are mere numbers."""
    table = frame if _has_row_numbers(pd, frame) else frame.reset_index()
    if not table.columns.is_unique:
        raise Unwritable("has two columns of one name")
    names = list(table.columns)
    columns = [_column(table.iloc[:, number]) for number in range(len(names))]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _by_label(series: Any) -> dict[Any, Any]:
    if not series.index.is_unique:
        raise Unwritable("has two values of one label: use reset_index()")
    return dict(zip(series.index, _column(series), strict=True))


def _column(series: Any) -> list[Any]:
    """The values of a column; pandas writes NaN for what is missing also where there are no floats."""
    if series.dtype.kind == "f":
        return list(series)
    return [None if is_missing else value for value, is_missing in zip(series, series.isna(), strict=True)]


def _has_row_numbers(pd: Any, table: Any) -> bool:
    return table.index.name is None and pd.api.types.is_integer_dtype(table.index.dtype)
