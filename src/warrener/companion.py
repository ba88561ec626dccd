"""Work beside which something else must go on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine

T = TypeVar("T")


async def while_running(companion: asyncio.Task[None], work: Awaitable[T]) -> T:
    """Do the work, and end it with the companion's error if that ends first."""
    working = asyncio.ensure_future(work)
    try:
        await asyncio.wait({working, companion}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        is_done = working.done()
        working.cancel()  # which changes nothing where it has ended
        await asyncio.wait({working})
    if not is_done:
        companion.result()
    return working.result()


async def until_one_ends(*works: Coroutine[Any, Any, object]) -> None:
    """Do all of these until the first of them ends, whose error is raised; the others are cancelled, and waited for."""
    doing = [asyncio.ensure_future(work) for work in works]
    try:
        ended, _ = await asyncio.wait(doing, return_when=asyncio.FIRST_COMPLETED)
        for work in ended:
            work.result()
    finally:
        for work in doing:
            work.cancel()
        await asyncio.gather(*doing, return_exceptions=True)
