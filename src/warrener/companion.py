"""Work beside which something else must go on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine


async def while_running(companion: asyncio.Task[None], work: Coroutine[Any, Any, object]) -> None:
    """Do the work, and end it with the companion's error if that ends first."""
    working = asyncio.ensure_future(work)
    try:
        await asyncio.wait({working, companion}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        is_done = working.done()
        working.cancel()  # which changes nothing where it has ended
        await asyncio.wait({working})
    (working if is_done else companion).result()


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
