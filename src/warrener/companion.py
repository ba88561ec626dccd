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
