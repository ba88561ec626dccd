"""What a file's name says of it, and how many tasks it has at most."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from warrener.errors import UsageError
from warrener.sources.content import is_lines

_TABLES: Final = {".csv": "", ".tsv": "\t", ".tab": "\t"}
_CHUNK: Final = 1 << 20


def is_table(path: str) -> bool:
    """Whether a file is a table by its name, packed or not."""
    return _ending(path) in _TABLES


def delimiter_of(path: str) -> str:
    """What separates the cells of a table by its name; empty where the table itself tells."""
    return _TABLES.get(_ending(path), "")


def count_lines(path: str) -> int | None:
    """How many lines of tasks a file has, the most tasks that there can be.

    None where only reading tells: of what can be read only once, of what is packed, and of an array.

    Raises:
        UsageError: The file cannot be read.
    """
    try:
        if not Path(path).is_file():
            return None
        with Path(path).open("rb") as file:
            chunk = file.read(_CHUNK)
            if not is_lines(chunk):
                return None
            count, last = 0, b"\n"
            while chunk:
                count, last = count + chunk.count(b"\n"), chunk[-1:]
                chunk = file.read(_CHUNK)
        return max(0, count + (last != b"\n") - is_table(path))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error


def _ending(path: str) -> str:
    return Path(path.lower().removesuffix(".gz")).suffix
