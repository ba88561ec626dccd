"""What goes wrong with temporary files, in one sentence."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from warrener.errors import WarrenerError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def kept(what: str) -> Iterator[None]:
    """Say that this cannot be kept in the temporary directory, where that is so.

    Raises:
        WarrenerError: It cannot.
    """
    try:
        yield
    except OSError as error:
        raise WarrenerError(
            f"{what} cannot be kept in {tempfile.gettempdir()}: {error.strerror}; name another directory with TMPDIR"
        ) from error
