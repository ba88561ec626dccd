"""A value in simpler terms, on its way to JSON, and what is said where there are none."""

from __future__ import annotations

from typing import Any, NamedTuple


class Unwritable(ValueError):  # noqa: N818 - reads as what it is
    """JSON cannot carry a value.

    Args:
        reason: What of it.
        path: Where that is in the value, as `.member[3]`.
    """

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(f"{f'`${path}`' if path else 'it'} {reason}")
        self.reason = reason
        self.path = path


class Simpler(NamedTuple):
    """A value in simpler terms.

    Args:
        value: What it is.
        is_plain: Whether all of it is of JSON's own kinds.
    """

    value: Any
    is_plain: bool = False
