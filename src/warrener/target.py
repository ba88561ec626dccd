"""Where collected rows go: a file that is written whole or not at all, or stdout."""

from __future__ import annotations

import csv
import fcntl
import glob
import io
import os
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Literal, cast

import msgspec

from warrener.errors import UsageError
from warrener.text import escape_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Format = Literal["jsonl", "json", "csv"]
STDOUT: Final = "-"
_COLUMNS: Final = [
    "task_id",
    "type",
    "status",
    "value",
    "attempts",
    "worker",
    "started_at",
    "processed_at",
    "duration",
]
_UNFINISHED: Final = ".unfinished"
# As OWASP lists them under "CSV Injection", full-width forms included.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class Target:
    """An open file of results.

    JSON is passed on as it is, one row on a line. CSV is safe to open in a spreadsheet: text that begins with `=`, `+`,
    `-`, `@` (or their full-width forms), a tab or a line break gets a `'` before it, as OWASP advises, since a
    spreadsheet would run it as a formula. Numbers stay numbers, -5 too; arrays and objects are written as JSON.

    Args:
        file: Where to write.
        form: How.
        path: What the file is called in an error.
    """

    def __init__(self, file: IO[bytes], form: Format, path: str = "the file") -> None:
        self._file = file
        self._form = form
        self._path = path
        self._is_first = True
        self.is_discarded = False
        if form == "csv":
            self._put([_csv_line(_COLUMNS)])
        elif form == "json":
            self._put([b"[\n"])

    def write(self, rows: Sequence[bytes]) -> None:
        """Add rows, each one a JSON object.

        Raises:
            UsageError: They cannot be written.
        """
        if not rows:
            return
        if self._form == "csv":
            self._put(_csv_row(row) for row in rows)
        elif self._form == "json":
            self._put([b"" if self._is_first else b",\n", b",\n".join(rows)])
        else:
            self._put([b"\n".join(rows), b"\n"])
        self._is_first = False

    def discard(self) -> None:
        """Leave whatever was at this place before."""
        self.is_discarded = True

    def flush(self) -> None:
        """Let readers of the file see what is written."""
        with _writing(self._path):
            self._file.flush()

    def finish(self) -> None:
        """Write what ends the file."""
        if self._form == "json":
            self._put([b"]\n" if self._is_first else b"\n]\n"])
        self.flush()

    def _put(self, parts: Iterable[bytes]) -> None:
        with _writing(self._path):
            self._file.writelines(parts)


class _Terminal:
    """Stdout where people read it, who are not to be steered by what is in a row."""

    def writelines(self, parts: Iterable[bytes]) -> None:
        sys.stdout.buffer.writelines(map(escape_json, parts))

    def flush(self) -> None:
        sys.stdout.buffer.flush()


@contextmanager
def opened(path: str, form: Format) -> Iterator[Target]:
    """A target at a path, `-` for stdout. The file appears when the block ends well, whole and safe on disk.

    What is no regular file, as a pipe or a device, is written to as it is.

    Raises:
        UsageError: It cannot be written.
    """
    with _writing(path):
        final = Path(path).resolve()  # a link stays a link
        is_directory = final.is_dir()
        is_no_file = final.exists() and not final.is_file()
    if path == STDOUT:
        stdout = cast("IO[bytes]", _Terminal()) if sys.stdout.isatty() else sys.stdout.buffer
        yield from _written(stdout, form, "stdout")
    elif is_directory:
        raise UsageError(f"{path} cannot be written: it is a directory")
    elif is_no_file:
        with _writing(path):
            file = final.open("wb")
        with _closing(file):
            yield from _written(file, form, path)
    else:
        yield from _replaced(final, form, path)


def _written(file: IO[bytes], form: Format, path: str) -> Iterator[Target]:
    target = Target(file, form, path)
    yield target
    target.finish()


def _replaced(final: Path, form: Format, path: str) -> Iterator[Target]:
    with _writing(path):
        _remove_leftovers(final)
        file = _unfinished(final)
    try:
        with _closing(file):
            target = Target(file, form, path)
            yield target
            target.finish()
            with _writing(path):
                os.fsync(file.fileno())
        if not target.is_discarded:
            with _writing(path):
                Path(file.name).chmod(0o666 & ~_umask())
                Path(file.name).replace(final)
                _sync_directory(final.parent)
    finally:
        Path(file.name).unlink(missing_ok=True)


@contextmanager
def _closing(file: IO[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        with suppress(OSError):  # what could not be written was said before
            file.close()


@contextmanager
def _writing(path: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # the reader, `head` perhaps, has seen enough: that needs no sentence
        raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


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


def checked_format(path: str, wanted: str | None) -> Format:
    """The format that was asked for, or the one that the file's ending names; JSONL by default.

    Raises:
        UsageError: There is no such format.
    """
    formats: dict[str, Format] = {"jsonl": "jsonl", "json": "json", "csv": "csv"}
    if wanted is None:
        return formats.get(Path(path).suffix.lower()[1:], "jsonl")
    if wanted not in formats:
        raise UsageError(f"there is no format {wanted!r}; use {', '.join(formats)}")
    return formats[wanted]


def _csv_row(row: bytes) -> bytes:
    members = msgspec.json.decode(row)
    return _csv_line([_cell(members.get(column)) for column in _COLUMNS])


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return "" if value is None else msgspec.json.encode(value).decode()


def _csv_line(cells: Sequence[str]) -> bytes:
    line = io.StringIO()
    # It quotes what ends a line of its own; readers take a lone carriage return for such an end, too.
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue().removesuffix("\r\n").encode() + b"\n"


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
