"""What is said where packages are missing that only an extra brings."""

from __future__ import annotations


def missing(whose: str, extra: str) -> str:
    """One sentence of what is missing, and how to get it.

    Args:
        whose: What needs it, with its verb: `the page needs`.
        extra: The extra's name.
    """
    return f"{whose} the extra `{extra}`: pip install 'warrener[{extra}]'"
