"""Warrener's own imports, which never come from the directories of its user: a `queue.py` beside an app is not the queue we need.

Python looks for modules first where a program lies, or where it was started, and then where PYTHONPATH says. An app is
imported so; what is ours comes from the directories after these. In a process of Warrener's own this is seen to before anything
else is imported: here, and this module imports nothing that could be a user's.
"""

from __future__ import annotations

import os
import sys

_usual: list[str] = []
_own: list[str] = []


def _set_users_aside() -> None:
    """From now on look for modules in the directories of the user last."""
    named = {os.path.abspath(name) for name in os.environ.get("PYTHONPATH", "").split(os.pathsep) if name}  # noqa: PTH100 - as said above
    named |= {"", _working_directory()}
    _usual[:] = sys.path
    sys.path.sort(key=named.__contains__)
    _own[:] = sys.path


def put_users_back() -> None:
    """Look for modules in the usual order again, the working directory first, in a process of Warrener's own."""
    if _usual:
        sys.path[:] = [_working_directory(), *_usual]


class OwnImports:
    """Meanwhile modules are looked for in the directories of the user last; in a process of the user's own as usual."""

    def __enter__(self) -> None:
        self._users = [*sys.path]
        if _own:
            sys.path[:] = _own

    def __exit__(self, *_: object) -> None:
        if _own:
            sys.path[:] = self._users


def _working_directory() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - as said above
    except FileNotFoundError:
        return ""


def _is_own() -> bool:
    """Whether this process is the command `warrener`, or one that it has started."""
    started_as = f"{' '.join(sys.orig_argv[1:4])} "
    return (
        "-m warrener " in started_as
        or "-m warrener." in started_as
        or "".join(sys.argv[:1]).endswith("/warrener")
    )


if _is_own():
    _set_users_aside()
