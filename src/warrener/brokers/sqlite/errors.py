"""What SQLite and the system say of a file, in our words: told apart by the error's code, never by its text."""

from __future__ import annotations

import errno
import sqlite3
from typing import Final

from warrener.errors import BrokerError, BrokerUnreachable

LOCK_TIMEOUT: Final = 10.0
"""Seconds for which another program may keep the file locked."""

_Meaning = tuple[type[BrokerError], str]

# Unreachable is what may pass by itself.
_LOCKED: Final[_Meaning] = (
    BrokerUnreachable,
    f"has been locked by another program for {LOCK_TIMEOUT:.0f} s; end that program and try again",
)
_FULL: Final[_Meaning] = (
    BrokerUnreachable,
    "cannot be written: the disk is full; free some room and go on, nothing is lost",
)
_BROKEN: Final[_Meaning] = (
    BrokerUnreachable,
    "cannot be read or written: disk I/O error; see whether the disk is well and has room, then go on",
)
_READ_ONLY: Final[_Meaning] = (
    BrokerError,
    "cannot be written: it or its directory is read-only for this user, who needs to write there to look, too, while nobody works",
)
_NO_DATABASE: Final[_Meaning] = (
    BrokerError,
    "is no SQLite database, or a damaged one; name another file or queue",
)
_CANNOT_OPEN: Final[_Meaning] = (
    BrokerError,
    "cannot be opened: check that its directory exists and that this user may write there",
)

_OF_SQLITE: Final = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_IOERR: _BROKEN,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _READ_ONLY,
    sqlite3.SQLITE_NOTADB: _NO_DATABASE,
    sqlite3.SQLITE_CORRUPT: _NO_DATABASE,
    sqlite3.SQLITE_CANTOPEN: _CANNOT_OPEN,
}
_OF_SYSTEM: Final = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EIO: _BROKEN,
    errno.EACCES: _READ_ONLY,
    errno.EPERM: _READ_ONLY,
    errno.EROFS: _READ_ONLY,
    errno.ENOENT: _CANNOT_OPEN,
    errno.ENOTDIR: _CANNOT_OPEN,
}


def translated(path: str, error: sqlite3.Error | OSError) -> BrokerError:
    """What is to be raised instead.

    Args:
        path: The file's.
        error: What went wrong with it.
    """
    if isinstance(error, OSError):
        meaning = _OF_SYSTEM.get(error.errno or 0)
        text = error.strerror or str(error)
    else:
        # The lower byte is the kind; what is above it says more of that.
        meaning = _OF_SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
        text = str(error)
    if meaning is None:
        return BrokerError(f"{path}: {text}")
    kind, sentence = meaning
    return kind(f"{path} {sentence}")
