"""A temporary directory that the next process removes if this one is killed: who owns one holds its lock."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

_MEMORY: Final = Path("/dev/shm")
_ROOM: Final = 2 << 30  # bytes there that a node, whose log alone may have half a gigabyte, cannot fill


class OwnDirectory:
    """A new directory.

    Args:
        prefix: The beginning of its name; what a killed process has left under it is removed.
        in_memory: Make it where writing waits for no disk, if the system has room there.
    """

    def __init__(self, prefix: str, *, in_memory: bool = False) -> None:
        usual = Path(tempfile.gettempdir())
        for parent in {usual, _MEMORY}:
            for left in parent.glob(f"{prefix}*"):
                _remove_unowned(left)
        parent = _MEMORY if in_memory and _has_room(_MEMORY) else usual
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent)).resolve()
            self._lock: int | None = _owned(self.path)
            if self._lock is not None:
                break

    def remove(self) -> None:
        """Remove it; without effect the second time."""
        if self._lock is None:
            return
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)
        self._lock = None


def _owned(directory: Path) -> int | None:
    """A descriptor that holds its lock as long as we live; None if somebody took it for left and removed it meanwhile."""
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except FileNotFoundError:
        return None
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    if not directory.exists():
        os.close(descriptor)
        return None
    return descriptor


def _remove_unowned(directory: Path) -> None:
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except OSError:
        return  # it is gone, or not ours
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(directory, ignore_errors=True)
    except BlockingIOError:
        pass  # its owner lives
    finally:
        os.close(descriptor)


def _has_room(directory: Path) -> bool:
    return directory.is_dir() and shutil.disk_usage(directory).free >= _ROOM
