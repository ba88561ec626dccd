"""What can go wrong with a file, in one sentence."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from warrener.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def writing(path: str) -> Iterator[None]:
    """Name the file whose writing fails."""
    try:
        yield
    except BrokenPipeError:  # the reader, `head` perhaps, has seen enough: that needs no sentence
        raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
