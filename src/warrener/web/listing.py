"""The list of queues, for all browsers together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from warrener.errors import BrokerError, ClusterError, UsageError
from warrener.web.looking import unseen

if TYPE_CHECKING:
    from warrener.web.house import House
    from warrener.web.watches import Watches

_EVERY: Final = 2.0
"""Seconds that a list holds."""
_FIRST_LOOK: Final = 2.0
"""Seconds that a queue has to be looked at for the first time."""
_MOST: Final = 100
_COMMAND: Final = "warrener run app.py tasks.jsonl"


class Listing:
    """Lists the queues, and how far each is.

    Args:
        house: Whose.
        watches: By which each is read.
    """

    def __init__(self, house: House, watches: Watches) -> None:
        self._house = house
        self._watches = watches
        self._listing = asyncio.Lock()
        self._last: tuple[float, dict[str, Any]] | None = None

    async def look(self) -> dict[str, Any]:
        """The list as it is, or was at most two seconds ago.

        Raises:
            BrokerError: The broker is away.
        """
        async with self._listing:
            now = asyncio.get_running_loop().time()
            if self._last is None or now - self._last[0] > _EVERY:
                self._last = now, await self._list()
            return self._last[1]

    async def _list(self) -> dict[str, Any]:
        names, note = await self._names()
        if len(names) > _MOST:
            note = f"the first {_MOST} of {len(names):,} queues; `warrener batches` lists all of them"
        rows = await asyncio.gather(*(self._row(name) for name in names[:_MOST]))
        return {"queues": rows, "note": note, "command": _COMMAND}

    async def _names(self) -> tuple[list[str], str | None]:
        asked = self._house.queue
        try:
            return await self._house.names(), None
        except (UsageError, BrokerError, ClusterError) as error:
            if asked is None:
                raise
            return [asked], str(error)

    async def _row(self, name: str) -> dict[str, Any]:
        async with self._watches.of(name) as watch:
            values = watch.board.values
            await watch.board.wait_for(lambda: "status" in values or _problem(values), _FIRST_LOOK)
            row: dict[str, Any] = values.get("status") or unseen(
                name, _problem(values) or "it is being looked at"
            )
            return {**row, "error": row["error"] or _problem(values)}


def _problem(values: dict[str, Any]) -> str | None:
    found: str | None = values.get("problem", {}).get("error")
    return found
