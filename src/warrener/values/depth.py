"""How deep JSON may nest."""

from __future__ import annotations

from typing import Final

import msgspec

# So many levels of nesting are left to those who read something later: for what is around it, and their own calls.
_ROOM: Final = 200

_raw = msgspec.json.Decoder(msgspec.Raw)


def nests_too_deep(body: bytes) -> bool:
    """Whether JSON nests so deep that a reader of it might not get to its bottom."""
    if len(body) <= _ROOM or body.count(b"[") + body.count(b"{") <= _ROOM:
        return False
    try:
        _raw.decode(b"[" * _ROOM + body + b"]" * _ROOM)
    except RecursionError:
        return True
    return False
