"""A file of tasks as text."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from warrener.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

STDIN: Final = "-"


@contextmanager
def opened(path: str, *, is_csv: bool) -> Iterator[TextIO]:
    """The open file, `-` for stdin.

    Bytes that are no UTF-8 become lone surrogates, so that their own line is to blame and not the whole file.

    Raises:
        UsageError: It cannot be read.
    """
    try:
        if path == STDIN:
            if sys.stdin is None:
                raise UsageError("stdin cannot be read: it is closed")
            sys.stdin.reconfigure(encoding="utf-8-sig", errors="surrogateescape")  # type: ignore[union-attr]
            yield sys.stdin
            return
        with Path(path).open(
            encoding="utf-8-sig", errors="surrogateescape", newline="" if is_csv else None
        ) as file:
            yield file
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
