"""The result writer: rows in, a file in one of the formats out."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from warrener.writers.errors import writing
from warrener.writers.formats import csv_head, csv_row
from warrener.writers.parquet import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from warrener.writers.formats import Format


class ResultWriter:
    """An open file of results.

    JSON is passed on as it is, one row on a line. CSV is safe to open in a spreadsheet: text that begins with `=`, `+`,
    `-`, `@` (or their full-width forms), a tab or a line break gets a `'` before it, as OWASP advises, since a
    spreadsheet would run it as a formula. Numbers stay numbers, -5 too; arrays and objects are written as JSON. Of Parquet
    nothing can be read before `finish`.

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
        if form == "parquet":
            self._table = Table()
        elif form == "csv":
            self._put([csv_head()])
        elif form == "json":
            self._put([b"[\n"])

    def write(self, rows: Sequence[bytes]) -> None:
        """Add rows, each one a JSON object.

        Raises:
            UsageError: They cannot be written.
        """
        if not rows:
            return
        if self._form == "parquet":
            self._put([self._table.write(rows)])
        elif self._form == "csv":
            self._put(csv_row(row) for row in rows)
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
        with writing(self._path):
            self._file.flush()

    def finish(self) -> None:
        """Write what ends the file."""
        if self._form == "parquet":
            self._put([self._table.finish()])
        elif self._form == "json":
            self._put([b"]\n" if self._is_first else b"\n]\n"])
        self.flush()

    def _put(self, parts: Iterable[bytes]) -> None:
        with writing(self._path):
            self._file.writelines(parts)
