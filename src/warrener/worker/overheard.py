"""What is printed in this process, overheard where there is no child whose output it would be."""

from __future__ import annotations

import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any, TextIO, cast

from warrener.models import MAX_OUTPUT

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def overheard() -> Iterator[bytearray]:
    """The end of what Python prints meanwhile to `sys.stdout` and `sys.stderr`, where it goes all the same."""
    kept = bytearray()
    out, err = (cast("TextIO", _Overhearing(stream, kept)) for stream in (sys.stdout, sys.stderr))
    with redirect_stdout(out), redirect_stderr(err):
        yield kept


class _Overhearing:
    """A stream as it is, but that what is written is kept, too."""

    def __init__(self, stream: TextIO, kept: bytearray) -> None:
        self._stream = stream
        self._kept = kept

    def write(self, text: str) -> int:
        """Write it, and keep it."""
        count = self._stream.write(text)
        self._kept += text.encode("utf-8", "backslashreplace")
        del self._kept[:-MAX_OUTPUT]
        return count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
