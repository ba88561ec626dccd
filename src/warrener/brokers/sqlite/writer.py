"""The one thread that reads and writes the file: SQLite has one writer anyway, and the event loop is never held up."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from warrener.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from warrener.brokers.sqlite.file import File

T = TypeVar("T")


class Writer:
    """Has a file's thread do things, one after the other.

    Args:
        file: The file.
    """

    def __init__(self, file: File) -> None:
        self.file = file
        self.is_closed = False
        self._thread = ThreadPoolExecutor(1, "sqlite")

    def run(self, function: Callable[..., T], *args: Any) -> Awaitable[T]:
        """Begin to do this; it is done even if nobody waits for it.

        Raises:
            BrokerError: Whatever goes wrong, or the writer is closed.
        """
        if self.is_closed:
            raise self.closed()
        return self._begin(function, *args)

    async def select(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """The rows of a query."""
        return await self.run(lambda: self.file.db.execute(query, values).fetchall())

    async def close(self, last: Callable[[], None]) -> None:
        """Do a last thing after all that was begun, if that is possible, and end."""
        self.is_closed = True
        with suppress(BrokerError):
            await self._begin(last)
        self._thread.shutdown()

    def closed(self) -> BrokerError:
        """What whoever comes later is told."""
        return BrokerError(f"the connection to {self.file.path} is closed")

    def _begin(self, function: Callable[..., T], *args: Any) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, self.file.guard, function, *args)
