"""Reading JSON without losing any of it: of two members with one name most readers keep the last, and say nothing."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


LONE_SURROGATE: Final = (
    "a lone surrogate is in it, half a character as of text that was cut; write the character whole"
)


class RepeatedKey(ValueError):  # noqa: N818 - reads as what it is
    """An object of JSON has a member twice."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the member {key!r} is there twice in one object; leave one of them out")


def decode_once(text: bytes | str) -> Any:
    """What JSON says, if no object in it has a member twice.

    Raises:
        RepeatedKey: One has.
        msgspec.DecodeError: It is no JSON; or a `UnicodeError` or `RecursionError`.
    """
    body = text.encode() if isinstance(text, str) else text
    value = _decoder.decode(body)
    # Each text and each name is within two quotes. A member that was lost took at least two with it; but quotes that are
    # written as numbers would come back as quotes, so that the sum could be right again.
    if body.count(b'"') != _encoder.encode(value).count(b'"') or b"\\u0022" in body:
        json.loads(body, object_pairs_hook=_unique)
    return value


def why_not(error: Exception, body: bytes | str) -> str:
    """Why JSON was not read, where the reader says of half a character that all was cut short."""
    return LONE_SURROGATE if has_lone_surrogate(body) else str(error)


def has_lone_surrogate(body: bytes | str) -> bool:
    """Whether JSON but for half a character somewhere, which would be nothing to encode."""
    try:
        json.dumps(json.loads(body), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    except (ValueError, RecursionError):
        return False
    return False


def decode_output(text: bytes) -> Any:
    """What a command wrote, as `decode_once`; NaN and infinities, which many programs write bare, become text as in results.

    Raises:
        RepeatedKey: An object has a member twice.
        msgspec.DecodeError: It is no JSON; or a `UnicodeError` or `RecursionError`.
    """
    try:
        return decode_once(text)
    except msgspec.DecodeError:
        found: list[str] = []

        def constant(name: str) -> str:
            found.append(name)
            return name

        try:
            value = json.loads(text, object_pairs_hook=_unique, parse_constant=constant)
        except (json.JSONDecodeError, UnicodeError):
            value = None
        if not found:
            raise
        return value


def _unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in members:
        if name in found:
            raise RepeatedKey(name)
        found[name] = value
    return found
