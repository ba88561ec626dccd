"""Members that nobody would have: msgspec drops those of dataclasses, typed dicts and classes of attrs silently."""

from __future__ import annotations

from typing import Any, TypeAlias

from msgspec import inspect

from warrener.values.custom import can_read

Kind: TypeAlias = inspect.Type
Path: TypeAlias = "tuple[str | int, ...]"

_OBJECTS = (inspect.StructType, inspect.DataclassType, inspect.TypedDictType)
_ARRAYS = (
    inspect.ListType,
    inspect.VarTupleType,
    inspect.SetType,
    inspect.FrozenSetType,
)


def kind_of(hint: Any) -> Kind:
    """What an annotation is, with all that is in it.

    Raises:
        TypeError: A type in it cannot be read; the text says which.
    """
    kind = inspect.type_info(hint)
    for part in _parts(kind):
        if isinstance(part, inspect.CustomType) and not can_read(part.cls):
            name = getattr(part.cls, "__name__", str(part.cls))
            raise TypeError(
                f"is of type {name}, which cannot be read from JSON; a lifespan that yields one belongs above the handler"
            )
        if isinstance(part, inspect.DataclassType) and hasattr(part.cls, "__pydantic_validator__"):
            raise TypeError(
                f"is {part.cls.__name__}, a dataclass of pydantic: make it a BaseModel or a plain dataclass"
            )
    return kind


def holds_members(kind: Kind) -> bool:
    """Whether something in an annotation has named members, of which one may be unknown."""
    return any(isinstance(part, _OBJECTS) for part in _parts(kind))


def unknown_member(kind: Kind, value: Any) -> Path | None:
    """Where a value, which fits, has a member that its annotation does not know.

    Args:
        kind: What the annotation is.
        value: Plain, as it came.
    """
    if isinstance(kind, inspect.UnionType):
        return next(filter(None, (unknown_member(one, value) for one in _candidates(kind, value))), None)
    if isinstance(kind, inspect.Metadata):
        return unknown_member(kind.type, value)
    if isinstance(value, dict):
        return _of_object(kind, value)
    if isinstance(value, list):
        kinds: Any = ()
        if isinstance(kind, _ARRAYS):
            kinds = [kind.item_type] * len(value)
        elif isinstance(kind, inspect.TupleType):
            kinds = kind.item_types
        elif isinstance(kind, inspect.NamedTupleType | inspect.StructType):
            kinds = [field.type for field in kind.fields]
        return _of_each(enumerate(zip(kinds, value, strict=False)))
    return None


def _of_object(kind: Kind, value: dict[str, Any]) -> Path | None:
    if isinstance(kind, inspect.DictType):
        return _of_each((name, (kind.value_type, member)) for name, member in value.items())
    if not isinstance(kind, _OBJECTS):
        return None
    fields = {field.encode_name: field.type for field in kind.fields}
    known = {*fields, getattr(kind, "tag_field", None)}
    for name in value:
        if name not in known:
            return (name,)
    return _of_each((name, (fields[name], member)) for name, member in value.items() if name in fields)


def _of_each(members: Any) -> Path | None:
    for step, (kind, member) in members:
        if (path := unknown_member(kind, member)) is not None:
            return (step, *path)
    return None


def _candidates(kind: inspect.UnionType, value: Any) -> list[Kind]:
    """The members of a union that a value may be of: one of objects, but for structures with tags, of which one has its own."""
    structs = [one for one in kind.types if isinstance(one, inspect.StructType)]
    if len(structs) <= 1:
        return list(kind.types)
    return [one for one in structs if isinstance(value, dict) and value.get(one.tag_field) == one.tag]


def _parts(kind: Kind) -> list[Kind]:
    """An annotation and all in it, each once, however it goes in circles."""
    found: dict[int, Kind] = {}
    waiting: list[Any] = [kind]
    while waiting:
        part = waiting.pop()
        if id(part) in found:
            continue
        found[id(part)] = part
        for name in ("item_type", "key_type", "value_type", "item_types", "types", "fields", "type"):
            inner = getattr(part, name, ())
            waiting += inner if isinstance(inner, tuple) else [inner]
    return list(found.values())
