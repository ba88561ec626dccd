"""A temporary file that nobody else sees, and that is gone with its last user."""

from __future__ import annotations

import os
import tempfile
import weakref
from pathlib import Path

from warrener.temporary import kept


class Scratch:
    """Bytes on disk: one thread appends, any others read."""

    def __init__(self) -> None:
        self.size = 0
        """How many bytes there are."""
        with kept("a batch"):
            self._file, name = tempfile.mkstemp(prefix="warrener-")
        weakref.finalize(self, os.close, self._file)
        Path(name).unlink()

    def append(self, data: bytes) -> None:
        """Add to its end; readers see all of it at once.

        Raises:
            WarrenerError: There is no room.
        """
        written = 0
        with kept("a batch"):
            while written < len(data):
                written += os.pwrite(self._file, data[written:], self.size + written)
        self.size += len(data)

    def read(self, position: int, most: int) -> bytes:
        """So many bytes from a position on, or what there is of them."""
        return os.pread(self._file, min(most, self.size - position), position)
