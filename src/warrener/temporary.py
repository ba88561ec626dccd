"""What goes wrong with temporary files, in one sentence."""

from __future__ import annotations

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
        raise not_kept(what, error) from error


def not_kept(what: str, error: Exception) -> WarrenerError:
    """What is said of this, which cannot be kept in the temporary directory, since there was this error."""
    import tempfile  # here: few programs come to it

    where = tempfile.tempdir or "the temporary directory"  # where none is found that can be used
    reason = getattr(error, "strerror", None) or error
    return WarrenerError(f"{what} cannot be kept in {where}: {reason}; name another directory with TMPDIR")
