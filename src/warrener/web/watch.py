"""One reader of a queue for all who look at it: however many browsers there are, the broker is asked once."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from warrener.companion import until_one_ends
from warrener.errors import BrokerError, QueueMissing, WarrenerError
from warrener.history import HistoryReader, find_row
from warrener.web.board import Board
from warrener.web.failures import Failures
from warrener.web.histories import tell_history
from warrener.web.looking import tell_status
from warrener.web.priorities import tell_priorities
from warrener.web.results import Newest
from warrener.web.workers import tell_workers

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
    from contextlib import AbstractAsyncContextManager

    from warrener.brokers import Broker
    from warrener.web.failure_store import FailureStore

_AGAIN_AFTER: Final = 1.0  # seconds
_OPEN_WITHIN: Final = 10.0
_READ_WITHIN: Final = 3.0
_LOOK_AGAIN_AFTER: Final = 0.2


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
        self.failures = Failures()
        self.newest = Newest()
        self.reader: HistoryReader | None = None
        """What reads the history; None before somebody looks, and while the broker is away."""
        self._is_viewed = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop reading; streams end."""
        self.board.close()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.failures.close()

    async def broker(self) -> Broker:
        """The queue's broker, once it is open.

        Raises:
            WarrenerError: It is away.
        """
        await self.board.wait_for(lambda: self._broker or self._error, _OPEN_WITHIN)
        if self._broker:
            return self._broker
        raise self._error or BrokerError(f"the broker of queue {self.queue!r} does not answer: try again")

    async def fresh_failures(self) -> FailureStore:
        """The failures as they are, or were a moment ago; of many the first time as far as they were read.

        Raises:
            WarrenerError: They cannot be read.
        """
        return await self.failures.refresh(await self.broker(), self._told("failed"))

    async def whole_failures(self) -> FailureStore:
        """The same, once all were read."""
        while True:
            store = await self.fresh_failures()
            if self.failures.is_complete:
                return store
            await asyncio.sleep(_LOOK_AGAIN_AFTER)

    async def find_row(self, task_id: str) -> bytes | None:
        """A task's row, among those that were read so far (`rows_read`).

        Raises:
            BrokerError: The results cannot be read.
        """
        self.view()
        broker = await self.broker()
        await self.board.wait_for(lambda: self.reader and self.reader.history.read, _READ_WITHIN)
        return await find_row(broker, self.reader.history, task_id) if self.reader else None

    @property
    def rows_read(self) -> tuple[int, int]:
        """How many rows were read, and how many there are, as far as the broker counts them."""
        read = self.reader.history.completed.read if self.reader else 0
        return read, max(read, self._told("completed") or 0)

    def look_again(self) -> None:
        """Somebody has changed the failures."""
        self.failures.look_again()
        if self.reader:
            self.reader.look_again()

    def view(self) -> None:
        """Begin to read all that there is to see."""
        self._is_viewed.set()

    def _told(self, name: str) -> Any:
        return self.board.values.get("status", {}).get(name)

    async def stream(self) -> AsyncGenerator[bytes]:
        """All that there is to see, as server-sent events; it begins to be read with the first of them."""
        self.view()
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
            is_missing = isinstance(self._error, QueueMissing)
            sentence = f"{self._error}; trying again" if self._error else None
            self.board.tell("problem", {"error": sentence, "is_missing": is_missing})
            await asyncio.sleep(_AGAIN_AFTER)

    async def _read(self, broker: Broker) -> None:
        """Read until something is lost for good, and raise that."""
        await until_one_ends(
            tell_status(self.queue, broker, self.board),
            self._once_viewed(tell_workers(broker, self.board)),
            self._once_viewed(tell_priorities(broker, self.board)),
            self._once_viewed(self._tell_history(broker)),
        )

    async def _tell_history(self, broker: Broker) -> None:
        self.reader = HistoryReader(broker, self.failures.overheard)
        try:
            await tell_history(self.reader, self.board)
        finally:
            self.reader = None

    async def _once_viewed(self, part: Coroutine[None, None, None]) -> None:
        try:
            await self._is_viewed.wait()
        except BaseException:
            part.close()
            raise
        await part
