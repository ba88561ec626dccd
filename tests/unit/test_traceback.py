"""What a failure tells is what Python would have told, however often it has happened at this place."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import pytest

from warrener.worker.child.reports import _traceback

if TYPE_CHECKING:
    from collections.abc import Callable


def _plain(n: int) -> None:
    raise ValueError(n) if n % 2 else OSError(n)


def _deep(n: int) -> None:
    if n:
        _deep(n - 1)
    raise ValueError(n)


def _caused(n: int) -> None:
    try:
        _plain(n)
    except (ValueError, OSError) as error:
        raise RuntimeError(n) from error


def _in_context(n: int) -> None:
    try:
        _plain(n)
    except (ValueError, OSError):
        raise RuntimeError(n)  # noqa: B904 - that is the case


def _noted(n: int) -> None:
    error = ValueError(n)
    error.add_note(f"note {n}")
    raise error


def _grouped(n: int) -> None:
    raise ExceptionGroup("several", [ValueError(n), OSError(n)])


def _misspelt(n: int) -> None:
    compile(f"{n} = ?", "some.py", "exec")


@pytest.mark.parametrize("fail", [_plain, _deep, _caused, _in_context, _noted, _grouped, _misspelt])
def test_tracebacks_are_pythons_own(fail: Callable[[int], None]) -> None:
    for n in (0, 1, 2, 1, 0):
        error = _raised(fail, n)
        frames = error.__traceback__ and error.__traceback__.tb_next
        assert _traceback(error) == "".join(traceback.format_exception(type(error), error, frames))


def _raised(fail: Callable[[int], None], n: int) -> Exception:
    try:
        fail(n)
    except Exception as error:  # noqa: BLE001 - each of them
        return error
    raise AssertionError(fail)
