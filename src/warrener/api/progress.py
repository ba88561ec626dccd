"""How far a batch is, shown where somebody looks: on a terminal, or in a notebook."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Self

from warrener.live_bar import LiveBar
from warrener.status_line import status_line
from warrener.text import plain

if TYPE_CHECKING:
    from warrener.monitor import Status


def shown(is_wanted: bool) -> Shown:
    """What shows it here: nothing, where stderr is no terminal and no notebook is open."""
    if is_wanted and _is_notebook():
        return _InNotebook()
    if is_wanted and sys.stderr is not None and sys.stderr.isatty():
        return _OnTerminal()
    return Shown()


class Shown:
    """Shows nothing. Use it with `with`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Let stand what was shown last."""

    def show(self, status: Status, blocked_reason: str | None) -> None:
        """Show how far things are, and what holds them up, if anything."""


class _OnTerminal(Shown):
    def __init__(self) -> None:
        self._bar: LiveBar | None = None

    def __enter__(self) -> Self:
        self._bar = LiveBar("running")
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def show(self, status: Status, blocked_reason: str | None) -> None:
        if self._bar:
            self._bar.show(_line(status, blocked_reason), status.done, status.total or None)


class _InNotebook(Shown):
    """A line of text below the cell, which changes."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, status: Status, blocked_reason: str | None) -> None:
        display = sys.modules["IPython"].display.display
        line = {"text/plain": _line(status, blocked_reason)}
        if self._handle is None:
            self._handle = display(line, raw=True, display_id=True)
        else:
            self._handle.update(line, raw=True)


def _line(status: Status, blocked_reason: str | None) -> str:
    return plain(status_line(status) + (f" | {blocked_reason}" if blocked_reason else ""))


def _is_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None
