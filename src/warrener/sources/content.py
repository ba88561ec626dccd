"""What the first bytes of a file tell: whether it is packed, how its text is encoded, and what is no text at all."""

from __future__ import annotations

import codecs
from typing import Final

from warrener.errors import UsageError

_GZIP: Final = b"\x1f\x8b"
_NO_TEXT: Final = {
    b"PK\x03\x04": "a zip archive, or a spreadsheet: unpack it, or save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel file: save the sheet as CSV",
    b"PAR1": "a Parquet file: write it as CSV or JSONL first",
    b"SQLite format 3": "an SQLite database: write its rows as CSV or JSONL first",
    b"BZh": "packed with bzip2: unpack it with `bunzip2`",
    b"\xfd7zXZ": "packed with xz: unpack it with `unxz`",
    b"\x28\xb5\x2f\xfd": "packed with zstd: unpack it with `unzstd`",
}
# The mark of UTF-32 begins with that of UTF-16.
_MARKS: Final = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
HEAD: Final = 16
"""So many bytes are enough."""


def is_gzip(head: bytes) -> bool:
    """Whether a file that begins so is packed with gzip, whatever its name."""
    return head.startswith(_GZIP)


def is_lines(head: bytes) -> bool:
    """Whether a file that begins so has its tasks on lines that can be counted as they are."""
    return not is_gzip(head) and not head.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"[")


def encoding_of(head: bytes, path: str) -> str:
    """The encoding of a file that begins so: UTF-8 unless a byte order mark says another.

    Raises:
        UsageError: It is no text, or in an encoding that only a guess would tell.
    """
    for magic, what in _NO_TEXT.items():
        if head.startswith(magic):
            raise UsageError(f"{path} cannot be read: it is {what}")
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding
    order = _order_without_mark(head)
    if order:
        raise UsageError(
            f"{path} cannot be read: it is UTF-16 without a byte order mark; make it UTF-8 with "
            f"`iconv -f UTF-16{order} -t UTF-8`"
        )
    return "utf-8-sig"


def _order_without_mark(head: bytes) -> str:
    """The order of bytes in UTF-16, where the first two characters are ASCII."""
    return {"x0x0": "LE", "0x0x": "BE"}.get("".join("x" if byte else "0" for byte in head[:4]), "")
