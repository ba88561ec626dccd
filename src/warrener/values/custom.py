"""Annotations that JSON has nothing for by itself, and how their values are made."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from pathlib import PurePath
from typing import Any, Final, get_args, get_origin

import msgspec

from warrener.values import pydantic_models

_MADE_FROM: Final = (str, int, float)
_COLLECTIONS: Final = {Iterable: list, deque: deque}


def can_read(kind: Any) -> bool:
    """Whether `read_custom` makes values of a type."""
    if get_origin(kind) in _COLLECTIONS or kind in _COLLECTIONS or kind is object:
        return True
    return isinstance(kind, type) and (
        pydantic_models.is_model(kind) or issubclass(kind, (PurePath, *_MADE_FROM))
    )


def read_custom(kind: Any, value: Any) -> Any:
    """A value of a type for which `can_read` is true.

    Raises:
        ValueError: The value does not fit; the text says why.
    """
    if kind is object:
        return value
    if (collection := _COLLECTIONS.get(get_origin(kind) or kind)) is not None:
        (item,) = get_args(kind) or (Any,)
        items = msgspec.convert(value, list[item], strict=False, dec_hook=read_custom)  # type: ignore[valid-type]
        return collection(items)
    if pydantic_models.is_model(kind):
        return pydantic_models.read(kind, value)
    if issubclass(kind, PurePath):
        if not isinstance(value, str) or not value:
            raise ValueError(f"Expected a path, got {value!r:.50}")
        return kind(value)
    base = next(base for base in _MADE_FROM if issubclass(kind, base))
    return kind(msgspec.convert(value, base, strict=False))
