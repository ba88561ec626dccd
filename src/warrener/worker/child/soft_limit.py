"""A soft time limit, as a handler hears of it."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from signal import ITIMER_REAL, SIGALRM, setitimer  # as they are now: handlers may replace them
from typing import TYPE_CHECKING, Any, NoReturn

from warrener.errors import SoftTimeout

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Raise `SoftTimeout` in the main thread, also where it waits for the system, once so much time has passed."""

    def ring(*_: object) -> NoReturn:
        raise _passed(seconds)

    before = signal.signal(SIGALRM, ring)
    setitimer(ITIMER_REAL, seconds)
    try:
        yield
    finally:
        setitimer(ITIMER_REAL, 0)
        signal.signal(SIGALRM, before or signal.SIG_DFL)


async def in_time(seconds: float, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Cancel what is awaited once so much time has passed, as `asyncio.timeout` does, and raise `SoftTimeout` for it."""
    import asyncio

    try:
        async with asyncio.timeout(seconds) as limit:
            return await work()
    except TimeoutError as error:
        if limit.expired() and isinstance(error.__cause__, asyncio.CancelledError):
            raise _passed(seconds) from error
        raise


def _passed(seconds: float) -> SoftTimeout:
    return SoftTimeout(f"its soft time limit of {seconds:g} s has passed")
