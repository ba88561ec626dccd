"""A file that appears whole and safe on disk, or not at all."""

from __future__ import annotations

import fcntl
import glob
import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from warrener.writers.errors import writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_UNFINISHED: Final = ".unfinished"


@contextmanager
def atomic_file(final: Path, path: str, is_wanted: Callable[[], bool]) -> Iterator[IO[bytes]]:
    """A file beside the final one, which takes its place when the block ends well.

    Args:
        final: Where it appears, no link.
        path: What it is called in an error.
        is_wanted: Asked at the end whether it is to appear; whatever was there before stays otherwise.

    Raises:
        UsageError: It cannot be written.
    """
    with writing(path):
        _remove_leftovers(final)
        file = _unfinished(final)
    try:
        with closing(file):
            yield file
            with writing(path):
                file.flush()
                os.fsync(file.fileno())
        if is_wanted():
            with writing(path):
                Path(file.name).chmod(0o666 & ~_umask())
                Path(file.name).replace(final)
                _sync_directory(final.parent)
    finally:
        Path(file.name).unlink(missing_ok=True)


@contextmanager
def closing(file: IO[bytes]) -> Iterator[None]:
    """Close it in the end."""
    try:
        yield
    finally:
        with suppress(OSError):  # what could not be written was said before
            file.close()


def _unfinished(final: Path) -> IO[bytes]:
    """A file beside the final one, to be renamed when it is whole; it is locked as long as somebody writes it."""
    while True:
        file = tempfile.NamedTemporaryFile(  # noqa: SIM115 - closed by the caller
            dir=final.parent, prefix=f".{final.name}.", suffix=_UNFINISHED, delete=False
        )
        with suppress(OSError):  # a file system without locks keeps leftovers, too
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:  # not taken for a leftover before it was locked
            return file
        file.close()


def _remove_leftovers(final: Path) -> None:
    """Remove what collectors left that were killed: unfinished files that nobody holds."""
    for path in final.parent.glob(f".{glob.escape(final.name)}.*{_UNFINISHED}"):
        with suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
