"""How a child says in its output whose it is: a mark and a key, and all that follows is that attempt's.

A child's stdout and stderr are a pipe, which its supervisor reads. The first bytes in it are the child's own mark, made by
chance, so that nothing a task prints is taken for one.
"""

from __future__ import annotations

import os
from typing import Final

MARK_BYTES: Final = 8
KEY_BYTES: Final = 8
NOBODY: Final = 0
"""The key of what belongs to no attempt."""
CAPACITY: Final = 1 << 16
"""Bytes that a pipe holds at most, as the system makes it."""


def new_mark() -> bytes:
    """A mark for one child; it begins with a byte that no text has."""
    return b"\xff" + os.urandom(MARK_BYTES - 1)


def marked(mark: bytes, key: int) -> bytes:
    """What comes before an attempt's output."""
    return mark + key.to_bytes(KEY_BYTES, "big")
