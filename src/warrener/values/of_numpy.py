"""NumPy's scalars and arrays in Python's terms."""

from __future__ import annotations

import sys
from typing import Any

from warrener.values.simpler import Simpler, Unwritable

_DOUBLE = 8  # bytes


def of_numpy(value: Any) -> Simpler | None:  # noqa: PLR0911 - one for each kind
    """What a value of NumPy is; None of any other."""
    np = sys.modules.get("numpy")
    if np is None or not isinstance(value, (np.generic, np.ndarray)):
        return None
    if isinstance(value, np.ma.MaskedArray):
        return Simpler(list(value) if value.ndim else value.tolist())  # None in place of what is masked
    if value.dtype.names and not (isinstance(value, np.ndarray) and value.ndim):
        return Simpler({name: value[name] for name in value.dtype.names})
    if value.dtype.names or value.dtype.kind == "O":
        return Simpler(list(value) if value.ndim else value.item())
    if value.dtype.kind == "M":  # to the nanosecond, which Python's own moments do not know
        return Simpler(_times(np.datetime_as_string(value), np.isnat(value)))
    if value.dtype.kind == "m":
        return Simpler(_spans(np, value))
    if value.dtype.kind in "fc" and value.dtype.itemsize > _DOUBLE:
        raise Unwritable(f"has numbers of type {value.dtype}, which are no doubles")
    is_plain = value.dtype.kind in "biuU" or (value.dtype.kind == "f" and bool(np.all(np.isfinite(value))))
    return Simpler(value.tolist(), is_plain=is_plain)


def _times(texts: Any, is_missing: Any) -> Any:
    """Text for each moment, None for each that is none."""
    if getattr(texts, "ndim", 0):
        return [_times(*pair) for pair in zip(texts, is_missing, strict=True)]
    return None if is_missing else str(texts)


def _spans(np: Any, value: Any) -> Any:
    """Spans of time of Python's own, which ends at microseconds."""
    exact = value.astype("timedelta64[us]")
    if not bool(np.all(np.isnat(value) | (exact.astype(value.dtype) == value))):
        raise Unwritable("has spans of time that are no whole microseconds")
    return exact.tolist()
