"""Whether this process is importing an app just now: that must not begin a batch, or it would have no end."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from warrener.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_importing: Final[list[str]] = []


@contextmanager
def importing(app: str) -> Iterator[None]:
    """Meanwhile this process imports an app."""
    _importing.append(app)
    try:
        yield
    finally:
        _importing.pop()


def refuse_while_importing(call: str) -> None:
    """See that a call does not come from an app's file that is only imported.

    Raises:
        UsageError: It does.
    """
    if _importing:
        raise UsageError(
            f"it calls {call} while it is imported, which every worker does: put what only the program itself is to do "
            'under `if __name__ == "__main__":`'
        )
