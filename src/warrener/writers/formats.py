"""How rows look in a file: JSON lines, a JSON array, a table that is safe in a spreadsheet, or columns."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from warrener.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

Format = Literal["jsonl", "json", "csv", "parquet"]
COLUMNS: Final = [
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
PROGRAMS: Final = ("py", "pyw", "ipynb", "sh")
"""How files end that people have written and that nothing may take the place of, the app among them."""
_OTHERS: Final = {
    **dict.fromkeys(PROGRAMS, "it is named as a program is"),
    **dict.fromkeys(("gz", "bz2", "xz", "zst", "zip"), "results are not packed while they are written"),
    "parquet": "only results are written so",
    **dict.fromkeys(
        ("feather", "arrow", "avro", "orc"), "of formats with columns there is Parquet, for results"
    ),
    **dict.fromkeys(("xlsx", "xls", "ods"), "a spreadsheet opens .csv"),
    **dict.fromkeys(("tsv", "tab"), "tables of results have commas"),
    **dict.fromkeys(("db", "sqlite", "sqlite3"), "results are no database"),
}
# As OWASP lists them under "CSV Injection", full-width forms included.
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def checked_format(path: str, wanted: str | None, *, of_results: bool = False) -> Format:
    """The format that was asked for, or the one that the file's ending names; JSONL by default.

    Args:
        path: The file's.
        wanted: What was asked for.
        of_results: Whether results are written, which may be as Parquet.

    Raises:
        UsageError: There is no such format, or the ending is that of a format that there is not, or what it needs is not
            installed.
    """
    formats: dict[str, Format] = {"jsonl": "jsonl", "json": "json", "csv": "csv"}
    if of_results:
        formats["parquet"] = "parquet"
    ending = Path(path).suffix.lower()[1:]
    if ending in _OTHERS and ending not in formats:
        *first, last = (f".{name}" for name in formats)
        raise UsageError(
            f"{path} cannot be written: {_OTHERS[ending]}; name a file that ends in {', '.join(first)} or {last}"
        )
    if wanted is not None and wanted not in formats:
        raise UsageError(f"there is no format {wanted!r}; use {', '.join(formats)}")
    found = formats.get(ending, "jsonl") if wanted is None else formats[wanted]
    if found == "parquet":
        from warrener.writers.parquet import check_installed

        check_installed()
    return found


def csv_head() -> bytes:
    """The line that names the columns."""
    return csv_line(COLUMNS)


def csv_row(row: bytes) -> bytes:
    """A row as a line of a table; what is no text stands there as JSON."""
    members = msgspec.json.decode(row)
    return csv_line([csv_cell(members.get(column)) for column in COLUMNS])


def csv_cell(value: Any) -> str:
    """A value as text that no spreadsheet runs; what is no text stands there as JSON."""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA) else value
    return "" if value is None else msgspec.json.encode(value).decode()


def csv_line(cells: Sequence[str]) -> bytes:
    """A line of a table, with its end."""
    line = io.StringIO()
    # It quotes what ends a line of its own; readers take a lone carriage return for such an end, too.
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue().removesuffix("\r\n").encode() + b"\n"
