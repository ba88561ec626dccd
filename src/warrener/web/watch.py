"""One reader of a queue for all who look at it: however many browsers there are, the broker is asked once."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from warrener.errors import BrokerError, WarrenerError
from warrener.web.board import Board
from warrener.web.looking import tell_status
from warrener.web.workers import tell_workers

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
    from contextlib import AbstractAsyncContextManager

    from warrener.brokers import Broker

_AGAIN_AFTER: Final = 1.0  # seconds
_OPEN_WITHIN: Final = 10.0


class Watch:
    """A queue that is being looked at.

    It reads until it is closed, whatever becomes of the broker, and says what is in the way.

    Args:
        queue: The queue's name.
        open_broker: Its open broker, by name; asked again when that is lost.
    """

    def __init__(self, queue: str, open_broker: Callable[[str], AbstractAsyncContextManager[Broker]]) -> None:
        self.queue = queue
        self.board = Board()
        self.used_at = 0.0
        """When somebody last needed it, on the loop's clock."""
        self.users = 0
        """How many need it now."""
        self._open = open_broker
        self._broker: Broker | None = None
        self._error: WarrenerError | None = None
        self._is_viewed = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop reading; streams end."""
        self.board.close()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def broker(self) -> Broker:
        """The queue's broker, once it is open.

        Raises:
            WarrenerError: It is away.
        """
        await self.board.wait_for(lambda: self._broker or self._error, _OPEN_WITHIN)
        if self._broker:
            return self._broker
        raise self._error or BrokerError(f"the broker of queue {self.queue!r} does not answer: try again")

    async def stream(self) -> AsyncGenerator[bytes]:
        """All that there is to see, as server-sent events; it begins to be read with the first of them."""
        self._is_viewed.set()
        async for text in self.board.stream():
            yield text

    @asynccontextmanager
    async def used(self) -> AsyncIterator[Watch]:
        """Keep it open."""
        self.users += 1
        try:
            yield self
        finally:
            self.users -= 1
            self.used_at = asyncio.get_running_loop().time()

    async def _run(self) -> None:
        while True:
            try:
                async with self._open(self.queue) as broker:
                    self._broker, self._error = broker, None
                    self.board.stir()
                    await self._read(broker)
            except WarrenerError as error:
                self._error = error
            finally:
                self._broker = None
            self.board.tell("problem", {"error": f"{self._error}; trying again" if self._error else None})
            await asyncio.sleep(_AGAIN_AFTER)

    async def _read(self, broker: Broker) -> None:
        """Read until something is lost for good, and raise that."""
        parts = [
            asyncio.create_task(tell_status(self.queue, broker, self.board)),
            asyncio.create_task(self._once_viewed(tell_workers(broker, self.board))),
        ]
        try:
            done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_EXCEPTION)
            for part in done:
                part.result()
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)

    async def _once_viewed(self, part: Coroutine[None, None, None]) -> None:
        try:
            await self._is_viewed.wait()
        except BaseException:
            part.close()
            raise
        await part
