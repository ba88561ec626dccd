"""A file of tasks as text, however it is packed and encoded."""

from __future__ import annotations

import io
import sys
import zlib
from contextlib import contextmanager
from gzip import BadGzipFile, GzipFile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from warrener.errors import UsageError
from warrener.sources.content import HEAD, encoding_of, is_gzip

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

STDIN: Final = "-"


@contextmanager
def opened(path: str, *, newline: str | None = None) -> Iterator[TextIO]:
    """The open file, `-` for stdin; what is packed with gzip is unpacked.

    Bytes that are no UTF-8 become lone surrogates, so that their own line is to blame and not the whole file.

    Args:
        path: The file.
        newline: As `open` takes it.

    Raises:
        UsageError: It cannot be read.
    """
    try:
        with _opened_bytes(path) as file:
            source = GzipFile(fileobj=file) if is_gzip(file.peek(HEAD)) else file
            encoding = encoding_of(source.peek(HEAD)[:HEAD], path)
            errors = "surrogateescape" if encoding == "utf-8-sig" else "strict"
            text = io.TextIOWrapper(source, encoding, errors, newline)
            try:
                yield text
            finally:
                text.detach()  # its end is not the end of stdin
    except IsADirectoryError as error:
        raise UsageError(f"{path} cannot be read: it is a directory; name a file of tasks in it") from error
    except (BadGzipFile, EOFError, zlib.error) as error:
        raise UsageError(f"{path} cannot be read: its gzip data is damaged or cut short") from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} cannot be read: it begins as {error.encoding.upper()} and is none further on"
        ) from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error


@contextmanager
def _opened_bytes(path: str) -> Iterator[io.BufferedReader]:
    if path != STDIN:
        with Path(path).open("rb") as file:
            yield file
        return
    # Held for as long as a thread may read it: Python aborts where it drops, at its end, what is being read.
    stdin = sys.stdin
    if stdin is None:
        raise UsageError("stdin cannot be read: it is closed")
    yield stdin.buffer  # type: ignore[misc]
