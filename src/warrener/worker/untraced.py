"""Errors that say all there is: their traceback would show nothing but Warrener's own lines."""

from __future__ import annotations


class Untraced(Exception):  # noqa: N818 - what it is beside an error
    """Mixed into an error, its attempt has no traceback."""
