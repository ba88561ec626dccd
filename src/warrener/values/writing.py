"""A value as JSON."""

from __future__ import annotations

import math
import reprlib
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

import msgspec

from warrener.text import cut
from warrener.values.depth import nests_too_deep
from warrener.values.known import simpler
from warrener.values.plain import kinds_in
from warrener.values.simpler import Unwritable

_MAX_SHORTENED: Final = 2048
# From so many bytes on it takes longer to read what was written than to look what was given.
_LONG: Final = 1024
_NULL: Final = b"null"
_PLAIN: Final = frozenset((str, int, bool, type(None)))
_TEXTS: Final = frozenset((date, timedelta, Decimal, UUID, bytes, bytearray, memoryview))
_ROWS: Final = (list, tuple)
_SETS: Final = (set, frozenset)
_NUMBER_OR_TEXT: Final = (str, int, float)

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


def written(value: Any, *, with_nan: bool) -> bytes:
    """A value as JSON.

    Args:
        value: Whatever a program has.
        with_nan: Whether NaN and infinities may be in it: they are written as "NaN", "Infinity" and "-Infinity".

    Raises:
        Unwritable: JSON cannot carry it; the text says what of it, and where.
    """
    try:
        body = _encoder.encode(value)
        if len(body) > _LONG and (kinds := kinds_in(value)) and (float not in kinds or _NULL not in body):
            return body  # a NaN would be a null in it
        if _decoder.decode(body) == value and not nests_too_deep(body):
            return body  # it is JSON's own: no key, number or member has changed on its way
    except Exception:  # noqa: BLE001, S110 - whatever it is, what follows looks into it
        pass
    try:
        body = _encoder.encode(_Simplified(with_nan).of(value))
        _decoder.decode(body)  # as those who read it will
    except RecursionError:
        raise Unwritable("nests too deep, or holds itself") from None
    except Unwritable:
        raise
    except UnicodeError:
        raise Unwritable("has text that is no valid Unicode") from None
    except Exception as error:
        raise Unwritable(f"cannot be written as JSON: {type(error).__name__}: {error}") from error
    if nests_too_deep(body):
        raise Unwritable("nests too deep for those who read it")
    return body


def shortened(value: Any) -> str:
    """How a value shows itself, of bounded length, whatever it is."""
    try:
        return cut(_short.repr(value), _MAX_SHORTENED)
    except BaseException:  # noqa: BLE001 - a user's __repr__ may do anything
        return f"(a value of type {type(value).__name__}, which does not show itself)"


class _Simplified:
    """Makes of a value one of JSON's own kinds, whose text says all that it said."""

    def __init__(self, with_nan: bool) -> None:
        self._with_nan = with_nan

    def of(self, value: Any) -> Any:  # noqa: PLR0911 - one for each kind
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind is float:
            return value if math.isfinite(value) else self._non_finite(value)
        if isinstance(value, dict):
            return self._object(value)
        if isinstance(value, _ROWS):
            return self._array(value)
        if isinstance(value, _SETS):
            return _in_order(self._array(list(value)))
        if kind in _TEXTS:
            return msgspec.to_builtins(value)
        if kind in (datetime, time):
            return _moment(value)
        simple, is_plain = simpler(value)
        return simple if is_plain else self.of(simple)

    def _object(self, members: dict[Any, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in members.items():
            name = key if type(key) is str else self._key(key)
            if name in found:
                raise Unwritable(f"has two keys that are both {name!r} as text")
            try:
                found[name] = self.of(value)
            except Unwritable as error:
                raise Unwritable(error.reason, f".{name}{error.path}") from error.__cause__
        return found

    def _array(self, items: list[Any] | tuple[Any, ...]) -> list[Any]:
        found = []
        for number, item in enumerate(items):
            try:
                found.append(self.of(item))
            except Unwritable as error:
                raise Unwritable(error.reason, f"[{number}]{error.path}") from error.__cause__
        return found

    def _key(self, key: Any) -> str:
        """What a key is as text: that of a value, without its quotes."""
        simple = self.of(key.value if isinstance(key, Enum) else key)
        if isinstance(simple, str):
            return simple
        if simple is None or isinstance(simple, _NUMBER_OR_TEXT):
            return _encoder.encode(simple).decode()
        raise Unwritable(f"has a key of type {type(key).__name__}; keys are text, numbers or moments")

    def _non_finite(self, value: float) -> str:
        if not self._with_nan:
            raise Unwritable("is a NaN or an infinity: use null, or text")
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _in_order(items: list[Any]) -> list[Any]:
    """A set's members, in an order that is the same in each process, since a task's id may be made from them."""
    try:
        return sorted(items)
    except TypeError:
        return sorted(items, key=_encoder.encode)


def _moment(value: datetime | time) -> str:
    offset = value.utcoffset()
    if offset is not None and offset % timedelta(minutes=1):
        return value.isoformat()  # to the second, which the encoder would leave out
    text: str = msgspec.to_builtins(value)
    return text


_short = reprlib.Repr()
_short.maxlevel = 8
_short.maxdict = _short.maxlist = _short.maxtuple = _short.maxset = _short.maxfrozenset = _short.maxdeque = (
    100
)
_short.maxstring = _short.maxother = _short.maxlong = _short.maxarray = _MAX_SHORTENED
