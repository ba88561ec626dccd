"""JSON as the arguments of a function, by their annotations."""

from __future__ import annotations

import re
import types
from datetime import datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, TypeAlias, Union, get_args, get_origin

import msgspec

from warrener.values.custom import read_custom
from warrener.values.unknown_members import Kind, holds_members, kind_of, unknown_member

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Field: TypeAlias = "tuple[str, Any] | tuple[str, Any, Callable[[], Any]]"
"""A parameter: its name, its annotation, and what makes its default, where it has one."""

_raw_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text = msgspec.json.Decoder(str)
_members = msgspec.json.Decoder(dict[str, Any])
_NUMBER: Final = re.compile(r"([+-]?)0*(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)", re.ASCII)
_DIGITS: Final = re.compile(rb'"\s*[+-]?[\d.]+\s*"')
_QUOTE: Final = ord('"')


class Reader:
    """Reads a function's arguments.

    Text that reads as what an annotation wants is taken as such, since CSV knows only text: blanks around it and zeros
    before a number do not matter, and text that is empty, where that does not fit, is none at all.

    Args:
        fields: The parameters.
        is_open: Whether other members are left alone.

    Raises:
        TypeError: An annotation is of a type that cannot be read; the text names the parameter.
    """

    def __init__(self, fields: Sequence[Field], *, is_open: bool) -> None:
        self._decoders: dict[str, msgspec.json.Decoder[Any]] = {}
        self._kinds: dict[str, Kind] = {}
        self._moments: set[str] = set()
        self._required = {field[0] for field in fields if len(field) == 2}  # noqa: PLR2004 - name and annotation
        members: list[Any] = []
        for name, hint, *default in fields:
            if name.startswith("__"):
                raise TypeError(f"{name!r} begins with two underscores, as only Python's own names do")
            if constraint := _unheard_constraint(hint):
                raise TypeError(
                    f"{name!r} has {constraint}, which only models of pydantic heed: make it one's member"
                )
            readable = _readable(hint)
            try:
                kind = kind_of(readable)
                self._decoders[name] = _decoder(readable)
            except TypeError as error:
                raise TypeError(f"{name!r} {error}") from error
            if holds_members(kind):
                self._kinds[name] = kind
            if datetime in (readable, *get_args(readable)) and str not in get_args(readable):
                self._moments.add(name)
            members.append((name, readable, *(msgspec.field(default_factory=made) for made in default)))
        arguments = msgspec.defstruct("data", members, kw_only=True, forbid_unknown_fields=not is_open)
        self._decoder = _decoder(arguments)

    def read(self, data: bytes) -> dict[str, Any]:
        """The arguments.

        Args:
            data: An object of JSON.

        Raises:
            msgspec.ValidationError: It does not fit; the text names the member. Or as `msgspec.json.decode`.
        """
        try:
            read = self._decoder.decode(data)
        except msgspec.ValidationError:
            data = self._mended(data)
            read = self._decoder.decode(data)
        if self._kinds:
            self._refuse_unknown(data)
        if self._moments:
            self._refuse_digits(data)
        return msgspec.structs.asdict(read)

    def _mended(self, data: bytes) -> bytes:
        """The same data with text that fits, as far as there is any.

        Raises:
            msgspec.ValidationError: A parameter that needs a value has empty text.
        """
        members = _raw_members.decode(data)
        for name, decoder in self._decoders.items():
            raw = bytes(members.get(name, b""))
            if not raw or raw[0] != _QUOTE or _fits(decoder, raw):
                continue
            text = _text.decode(raw).strip()
            if text:
                found = next((one for one in _wordings(text) if _fits(decoder, one)), raw)
                members[name] = msgspec.Raw(found)
            elif name not in self._required:
                del members[name]
            elif _fits(decoder, b"null"):
                members[name] = msgspec.Raw(b"null")
            else:
                raise msgspec.ValidationError(f"It is empty, and needs a value - at `$.{name}`")
        return msgspec.json.encode(members)

    def _refuse_digits(self, data: bytes) -> None:
        """The decoder would take 20260131 for seconds since 1970."""
        members = _raw_members.decode(data)
        for name in self._moments:
            if _DIGITS.fullmatch(bytes(members.get(name, b""))):
                raise msgspec.ValidationError(
                    "It is text of digits alone, which could mean several times; write it as 2026-01-31T12:00:00Z, or as a number of "
                    f"seconds since the epoch - at `$.{name}`"
                )

    def _refuse_unknown(self, data: bytes) -> None:
        members = _members.decode(data)
        for name, kind in self._kinds.items():
            if path := unknown_member(kind, members.get(name)):
                *owner, member = path
                where = "".join(
                    f"[{step}]" if isinstance(step, int) else f".{step}" for step in [name, *owner]
                )
                raise msgspec.ValidationError(f"Object contains unknown field `{member}` - at `${where}`")


def _decoder(hint: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(hint, strict=False, dec_hook=read_custom)


def _readable(hint: Any) -> Any:
    """An annotation as the decoder takes it: where text is as good as a path, text it is."""
    if get_origin(hint) not in (Union, types.UnionType):
        return hint
    kinds = get_args(hint)
    if str not in kinds:
        return hint
    left = [kind for kind in kinds if not (isinstance(kind, type) and issubclass(kind, PurePath))]
    return Union[tuple(left)]  # noqa: UP007 - of as many as there are


def _unheard_constraint(hint: Any) -> str:
    """What an annotation demands by means of pydantic, and the decoder would not know of; empty if nothing."""
    demands = getattr(hint, "__metadata__", ())
    for demand in demands:
        module = type(demand).__module__
        if module.startswith(("annotated_types", "pydantic.functional_")) or (
            module == "pydantic.fields" and getattr(demand, "metadata", None)
        ):
            return f"the constraint {demand!r}"
    return next(filter(None, map(_unheard_constraint, get_args(hint))), "")


def _fits(decoder: msgspec.json.Decoder[Any], raw: bytes) -> bool:
    try:
        decoder.decode(raw)
    except msgspec.ValidationError:
        return False
    return True


def _wordings(text: str) -> list[bytes]:
    """How text may be meant: without the blanks around it, and a number without what stands before its first digit."""
    found = [text]
    if number := _NUMBER.fullmatch(text):
        found.append(("-" if number[1] == "-" else "") + number[2])
    return [msgspec.json.encode(one) for one in found]
