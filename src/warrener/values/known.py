"""Values that are none of JSON's own kinds: what each is in simpler terms.

A library is asked only where it is loaded, since otherwise no value can be of its types.
"""

from __future__ import annotations

import dataclasses
import os
from array import array
from collections import UserString
from collections.abc import Iterator, Mapping, MappingView, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

import msgspec

from warrener.values.of_numpy import of_numpy
from warrener.values.of_pandas import of_pandas
from warrener.values.simpler import Simpler, Unwritable
from warrener.values.strict_json import decode_once


def simpler(value: Any) -> Simpler:
    """What a value is in simpler terms, by one step.

    Raises:
        Unwritable: Nothing in JSON stands for it.
    """
    for of_library in (of_numpy, of_pandas):
        if (found := of_library(value)) is not None:
            return found
    if isinstance(value, Enum):
        return Simpler(value.value)
    found = _of_built_in(value)
    if found is None:
        found = _of_class(value)
    if found is None:
        found = _of_collection(value)
    if found is None:
        hint = ": make a list of it" if isinstance(value, Iterator) else ""
        raise Unwritable(f"is of type {type(value).__name__}, for which JSON has nothing{hint}")
    return found


def _of_built_in(value: Any) -> Simpler | None:  # noqa: PLR0911 - one for each kind
    """Of classes that are made from built-in ones: the built-in value."""
    if isinstance(value, str):
        return Simpler(str.__str__(value), is_plain=True)
    if isinstance(value, int):
        return Simpler(int.__int__(value), is_plain=True)
    if isinstance(value, float):
        return Simpler(float.__float__(value))
    if isinstance(value, bytes | bytearray):
        return Simpler(memoryview(value))
    if isinstance(value, Decimal):
        return Simpler(Decimal(value))
    if isinstance(value, datetime):
        return Simpler(datetime.fromisoformat(datetime.isoformat(value)))
    if isinstance(value, date):
        return Simpler(date.fromisoformat(date.isoformat(value)))
    if isinstance(value, timedelta):
        return Simpler(timedelta(value.days, value.seconds, value.microseconds))
    return None


def _of_class(value: Any) -> Simpler | None:
    """Of classes with members: an object of these."""
    kind = type(value)
    if serializer := getattr(kind, "__pydantic_serializer__", None):
        return Simpler(serializer.to_python(value, mode="json", by_alias=True))
    if dataclasses.is_dataclass(kind):
        return Simpler({field.name: getattr(value, field.name) for field in dataclasses.fields(kind)})
    if attributes := getattr(kind, "__attrs_attrs__", None):
        return Simpler({attribute.name: getattr(value, attribute.name) for attribute in attributes})
    if isinstance(value, msgspec.Struct):
        return Simpler(_struct(value))
    if isinstance(value, msgspec.Raw):
        return Simpler(decode_once(bytes(value)), is_plain=True)
    return None


def _of_collection(value: Any) -> Simpler | None:
    if isinstance(value, os.PathLike | UserString):
        return Simpler(os.fspath(value) if isinstance(value, os.PathLike) else str(value))
    if isinstance(value, Mapping):
        return Simpler({key: value[key] for key in value})
    if isinstance(value, Sequence | AbstractSet | MappingView | array):
        items: Any = value
        return Simpler(list(items))
    return None


def _struct(value: msgspec.Struct) -> Any:
    """A structure as msgspec writes it, but for what is in its members."""
    config = value.__struct_config__
    members = [
        (name, getattr(value, attribute))
        for name, attribute in zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True)
    ]
    tag = [] if config.tag is None else [(config.tag_field, config.tag)]
    if config.array_like:
        return [member for _, member in [*tag, *members]]
    return {name: member for name, member in [*tag, *members] if member is not msgspec.UNSET}
