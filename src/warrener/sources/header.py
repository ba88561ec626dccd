"""The first line of a table: what its columns are called, and what separates them."""

from __future__ import annotations

import csv
import re
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from warrener.errors import UsageError
from warrener.sources.corrected import PREFIX
from warrener.sources.diagnosis import no_text

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEFAULT: Final = ","
_DETECTED: Final = (";", "\t", "|")
_EXCEL: Final = re.compile(r'"?sep=([^"\r\n])"?[\r\n]*', re.IGNORECASE)
_QUOTED: Final = re.compile('"[^"]*"?')


class Header(NamedTuple):
    """What the first line says.

    Args:
        columns: Their names, in order; none is there twice.
        delimiter: What separates them.
        text: How it stands in the file.
    """

    columns: list[str]
    delimiter: str
    text: str


def read_header(lines: Iterator[str], path: str, delimiter: str) -> Header:
    """Take the header from a file's lines.

    Args:
        lines: The file's, from the first one on; those below the header are left.
        path: What the file is called in an error.
        delimiter: What separates columns; empty where the header is to tell: that is `;`, tab or `|` where it has one and no
            comma, or what Excel's line `sep=` names.

    Raises:
        UsageError: There is no header, or a column of it has no name that is fit.
    """
    first = next(lines, "")
    text = first
    if excel := _EXCEL.fullmatch(first):
        delimiter = delimiter or excel[1]
        first = next(lines, "")
        text += first
    delimiter = delimiter or _detected(first)
    taken: list[str] = []
    rows = csv.reader(chain([first], _noting(lines, taken)), strict=True, delimiter=delimiter)
    try:
        columns = next(rows, [])
    except csv.Error as error:
        raise UsageError(f"{path}, line {rows.line_num}: this is no CSV ({error})") from error
    if reason := _unfit(columns, first):
        raise UsageError(f"{path}, line 1: {reason}")
    return Header(columns, delimiter, text + "".join(taken))


def _noting(lines: Iterator[str], taken: list[str]) -> Iterator[str]:
    for line in lines:
        taken.append(line)
        yield line


def _detected(line: str) -> str:
    bare = _QUOTED.sub("", line)
    if _DEFAULT in bare:
        return _DEFAULT
    return max(_DETECTED, key=bare.count) if any(one in bare for one in _DETECTED) else _DEFAULT


def _unfit(columns: list[str], line: str) -> str:
    """What is wrong with the names, or nothing."""
    if not line.strip():
        return "the names of the columns are expected here, and it is empty"
    is_corrected = any(name.startswith(PREFIX) for name in columns)  # then names are what tasks have said
    if reason := no_text([name.replace("\0", "") for name in columns] if is_corrected else columns):
        return reason
    for number, name in enumerate(columns, 1):
        if not name:
            return f"column {number} has no name; name it, or remove the delimiter that makes it a column"
        if name != name.strip() and not is_corrected:
            return f"blanks stand around the name of column {name!r}; remove them, here and in the rows"
        if columns.index(name) != number - 1:
            return f"column {name!r} is there twice; every column needs a name of its own"
    return ""
