"""A queue's history as it is read and goes on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from warrener.errors import AccessRefused

if TYPE_CHECKING:
    from warrener.history import HistoryReader
    from warrener.web.board import Board

_EVERY: Final = 1.0  # seconds


async def tell_history(reader: HistoryReader, board: Board) -> None:
    """Tell `history` while it changes, at most once a second, until cancelled.

    Raises:
        BrokerError: The queue cannot be read any more.
    """
    following, told = asyncio.create_task(reader.follow()), -1
    try:
        while not following.done():
            if reader.version != told:
                told = reader.version
                board.tell("history", {**reader.history.members(), "may_not": None})
            await asyncio.wait({following}, timeout=_EVERY)
        following.result()
    except AccessRefused as error:  # others see it, and this user may see the rest
        board.tell("history", {"may_not": f"the history is not for this user to see: {error}"})
        await asyncio.Event().wait()
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
