"""Collecting results into a file: one row per task id, written whole or not at all."""

from __future__ import annotations

import asyncio
import csv
import fcntl
import glob
import io
import os
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Final, Literal, cast

import msgspec

from warren.brokers import connect
from warren.ending import Ending
from warren.errors import AccessRefused, BrokerUnreachable, UsageError
from warren.ids import IdSet
from warren.settings import DEFAULT_QUEUE, EMBEDDED, Address
from warren.tasks import NOT_JSON, failure, shown_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

    from warren.brokers import Broker

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


class _Row(msgspec.Struct):
    """What must be known of a row; the rest is passed on as it came."""

    task_id: str
    attempts: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)] = 1


_rows = msgspec.json.Decoder(_Row)
_anything = msgspec.json.Decoder()


class Tally(msgspec.Struct):
    """What was collected.

    Args:
        missing: Tasks that have neither a result nor a failure yet; None where this user may not see them.
        duplicates: Rows left out because their task had one already.
        strange: Rows left out because they are no results; somebody else wrote them.
        by_reason: Failed tasks by reason.
        retries: Attempts beyond the first, of all tasks that ended.
    """

    completed: int = 0
    failed: int = 0
    missing: int | None = 0
    duplicates: int = 0
    strange: int = 0
    by_reason: dict[str, int] = {}
    retries: int = 0

    def __str__(self) -> str:
        total = self.completed + self.failed + (self.missing or 0)
        missing = "others not for this user to see" if self.missing is None else f"{self.missing:,} missing"
        dropped = f"{self.duplicates:,} duplicate row{'' if self.duplicates == 1 else 's'} dropped"
        strange = f"; {self.strange:,} left out that no worker wrote" if self.strange else ""
        return (
            f"{total:,} task{'' if total == 1 else 's'}: {self.completed:,} completed, {self.failed:,} failed, "
            f"{missing}; {dropped}{strange}"
        )


def results(*, broker: str = EMBEDDED, queue: str = DEFAULT_QUEUE) -> Iterator[dict[str, Any]]:
    """The result rows so far, for scripts: one per task id, in the order they came.

    Raises:
        BrokerError: The broker or the queue cannot be read.
    """
    with asyncio.Runner() as runner:
        open_broker = connect(Address(broker, queue))
        runner.run(open_broker.__aenter__())
        rows = distinct(open_broker, IdSet(), Tally())
        try:
            while batch := runner.run(_next(rows)):
                for row in batch:
                    yield msgspec.json.decode(row)
        finally:
            runner.run(open_broker.__aexit__(None, None, None))


async def distinct(
    broker: Broker, seen: IdSet, tally: Tally, *, follow: bool = False
) -> AsyncIterator[list[bytes]]:
    """Rows of tasks that had none before, in batches that are empty only while following."""
    async for batch in broker.results(follow=follow):
        fresh = []
        for row in batch:
            try:
                known = _rows.decode(row)
                _anything.decode(row)  # what is not looked into above may be no JSON, too
            except NOT_JSON:
                tally.strange += 1
                continue
            if seen.add(known.task_id):
                fresh.append(_in_one_line(row))
                tally.retries += known.attempts - 1
            else:
                tally.duplicates += 1
        tally.completed += len(fresh)
        if fresh or follow:
            yield fresh


def _in_one_line(row: bytes) -> bytes:
    """The row without line breaks between its members, which would make several lines of it."""
    return msgspec.json.format(row, indent=-1) if b"\n" in row or b"\r" in row else row


async def collect(broker: Broker, target: Target, *, follow: bool = False, total: int | None = None) -> Tally:
    """Write every result to a target, count failures too.

    Args:
        broker: An open broker.
        target: Where to.
        follow: Wait for more until every task has ended.
        total: How many tasks there are, where somebody knows; otherwise the broker is asked what is left.
    """
    seen, tally, ending = IdSet(), Tally(), Ending(broker)
    async for rows in distinct(broker, seen, tally, follow=follow):
        target.write(rows)
        if follow and not rows:
            target.flush()
            try:
                counts = await broker.counts()
            except BrokerUnreachable:  # whether it comes back in time is for `results` to say
                continue
            read = tally.completed + tally.duplicates + tally.strange
            if await ending.is_proven_by(counts) and read >= counts.completed:
                break
    async for task in broker.failures():
        # A result outranks a failure of the same task, whichever came first.
        found = failure(task.body, task.id, task.record)
        if seen.add(found.task_id):
            tally.failed += 1
            tally.by_reason[found.reason] = tally.by_reason.get(found.reason, 0) + 1
            tally.retries += max(0, found.attempts - 1)
    tally.missing = await _missing(broker, tally, total)
    return tally


async def _missing(broker: Broker, tally: Tally, total: int | None) -> int | None:
    if total is not None:
        return max(0, total - tally.completed - tally.failed)
    try:
        return (await broker.counts()).waiting
    except AccessRefused:  # a user who may read what has ended, and nothing else
        return None


async def _next(rows: AsyncIterator[list[bytes]]) -> list[bytes]:
    return await anext(rows, [])


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
        sys.stdout.buffer.writelines(map(shown_json, parts))

    def flush(self) -> None:
        sys.stdout.buffer.flush()


@contextmanager
def opened(path: str, form: Format) -> Iterator[Target]:
    """A target at a path, `-` for stdout. The file appears when the block ends well, whole and safe on disk.

    What is no regular file, as a pipe or a device, is written to as it is.

    Raises:
        UsageError: It cannot be written.
    """
    final = Path(path).resolve()  # a link stays a link
    if path == STDOUT:
        stdout = cast("IO[bytes]", _Terminal()) if sys.stdout.isatty() else sys.stdout.buffer
        yield from _written(stdout, form, "stdout")
    elif final.is_dir():
        raise UsageError(f"{path} cannot be written: it is a directory")
    elif final.exists() and not final.is_file():
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
