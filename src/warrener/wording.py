"""What a task says, as a digest: by it a task gets an id of its own, and a row is known to be of this wording of its task."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

# 80 bits: among ten million tasks the chance that any two share a digest is below 10**-10.
_BYTES: Final = 10
_canonical: Final = msgspec.json.Encoder(order="sorted")


def wording_of(task_type: str, data: Mapping[str, Any]) -> str:
    """A digest of a task's type and data, of 20 letters and digits; the order of members does not matter.

    Raises:
        TypeError: JSON cannot carry the data.
    """
    return _digest(_canonical.encode((task_type, data)))


def content_id(task_type: str, data: Mapping[str, Any]) -> str:
    """An id made from what a task says, the same from CSV, which knows only text, and from JSON with the same values.

    Raises:
        TypeError: JSON cannot carry the data.
    """
    return _digest(_canonical.encode((task_type, {name: _as_text(value) for name, value in data.items()})))


def _as_text(value: Any) -> Any:
    if isinstance(value, str | dict | list):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()


def _digest(text: bytes) -> str:
    return blake2b(text, digest_size=_BYTES).hexdigest()
