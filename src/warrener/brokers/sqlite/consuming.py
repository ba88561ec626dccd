"""The consumer's side: outcomes and new claims share a transaction, a turn; while one is written the next one gathers.

A turn that fails is tried again with all that it had.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from warrener.brokers.protocol import Lost
from warrener.errors import BrokerUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warrener.brokers.confirm_times import ConfirmTimes
    from warrener.brokers.protocol import Delivery, Listener, Outcome
    from warrener.brokers.sqlite.claims import Claims
    from warrener.brokers.sqlite.writer import Writer

_log = logging.getLogger("warrener.sqlite")

POLL: Final = 0.05
# So long a worker rides out a full disk or a locked file; as long as a lost RabbitMQ.
RETRY_FOR: Final = 300.0
RETRY_EVERY: Final = 1.0


class Consuming:
    """What is held, and what was said of it and is not written yet.

    Args:
        writer: Of the file.
        claims: The claims of this worker in it.
    """

    def __init__(self, writer: Writer, claims: Claims) -> None:
        self._writer = writer
        self._claims = claims
        self._listener: Listener | None = None
        self._prefetch = 0
        self.confirm_times: ConfirmTimes | None = None
        self._held: dict[int, Delivery] = {}
        self._outcomes: list[tuple[Delivery, Outcome | None]] = []
        self._requeued: list[Delivery] = []
        self._said = self._written = 0  # outcomes and deliveries requeued
        self._begun = self._ended = 0  # turns
        self._give_up_at: float | None = None
        self._wake = asyncio.Event()
        self._has_started = asyncio.Event()
        self._turns: asyncio.Task[None] | None = None
        self._turn: asyncio.Future[None] | None = None

    async def consume(self, listener: Listener, prefetch: int) -> None:
        """Begin, or go on with another number."""
        if self._turns is None:
            await self._writer.run(
                lambda: self._writer.file.db
            )  # a missing queue is told here, and not behind the scenes
        self._listener, self._prefetch = listener, prefetch
        if self._turns is None:  # nobody else has begun meanwhile
            self._turn = asyncio.get_running_loop().create_future()
            self._turns = asyncio.create_task(self._take_turns())
            self._has_started.set()
        self._wake.set()

    async def pause(self) -> None:
        """Claim nothing more; what is being claimed comes before this ends."""
        self._prefetch = 0
        begun = self._begun
        await self._wait_for(lambda: self._ended >= begun)

    def settle(self, delivery: Delivery, outcome: Outcome | None) -> None:
        """End what is held, without an outcome where there is one already."""
        if self._let_go(delivery):
            self._outcomes.append((delivery, outcome))
            if self.confirm_times:
                self.confirm_times.begin(delivery.tag)

    def requeue(self, deliveries: Sequence[Delivery]) -> None:
        """Give back what is held."""
        self._requeued += filter(self._let_go, deliveries)

    @property
    def is_writable(self) -> bool:
        """Whether the last turn was written."""
        return self._give_up_at is None

    @property
    def unsettled(self) -> int:
        """How much of what was said is not written."""
        return self._said - self._written

    async def settled(self) -> None:
        """Wait until all that was said so far is written."""
        said = self._said
        await self._wait_for(lambda: self._written >= said)
        if self._written < said:
            self._raise_end()

    async def wait_lost(self) -> None:
        """Wait for the end of all turns, and raise why."""
        await self._has_started.wait()
        if self._turns:
            await asyncio.wait([self._turns])
        self._raise_end()

    async def close(self) -> None:
        """Take no more turns. What is held then is for the caller to give up."""
        if self._turns:
            self._turns.cancel()
            await asyncio.gather(self._turns, return_exceptions=True)
        self._has_started.set()

    @property
    def unfinished(self) -> list[int]:
        """The tags of what is held, and of what was settled and is not written."""
        return [*self._held, *(delivery.tag for delivery, _ in self._outcomes)]

    def _let_go(self, delivery: Delivery) -> bool:
        """Whether it was held; it is no more, so that only the first word of it counts."""
        if self._held.get(delivery.tag) is not delivery:
            return False
        del self._held[delivery.tag]
        self._said += 1
        self._wake.set()
        return True

    async def _wait_for(self, is_so: Callable[[], bool]) -> None:
        """Wait for a fact, or for the end of all turns."""
        while self._turns and self._turn and not self._turns.done() and not is_so():
            await asyncio.wait({self._turns, self._turn}, return_when=asyncio.FIRST_COMPLETED)

    def _raise_end(self) -> None:
        if self._turns is None or self._turns.cancelled():
            raise self._writer.closed()
        self._turns.result()

    async def _take_turns(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL):
                    await self._wake.wait()
            self._wake.clear()
            await self._take_turn()

    async def _take_turn(self) -> None:
        outcomes, self._outcomes = self._outcomes, []
        requeued, self._requeued = self._requeued, []
        # What is settled in this turn leaves its room to the next one: a claim of this one would be lost with it.
        room = max(0, self._prefetch - len(self._held) - len(outcomes) - len(requeued))
        self._begun += 1
        try:
            was_lost, deliveries = await self._writer.run(
                self._claims.turn,
                [(delivery.tag, outcome) for delivery, outcome in outcomes],
                [delivery.tag for delivery in requeued],
                room,
            )
        except BaseException as error:
            self._outcomes[:0], self._requeued[:0] = outcomes, requeued
            if not isinstance(error, BrokerUnreachable):
                raise
            self._end_turn()
            await self._hold_on(error)
            return
        if self._give_up_at is not None:
            _log.warning("%s can be written again", self._writer.file.path)
            self._give_up_at = None
        if was_lost:
            self._lose(outcomes)
        elif self.confirm_times:
            self.confirm_times.end(outcomes)
        self._written += len(outcomes) + len(requeued)
        for delivery in deliveries:
            self._held[delivery.tag] = delivery
        if self._listener:
            for delivery in deliveries:
                self._listener.on_delivery(delivery)
        if outcomes or requeued or len(deliveries) == room > 0:
            self._wake.set()  # there may be room, or more to have
        self._end_turn()

    def _lose(self, outcomes: list[tuple[Delivery, Outcome | None]]) -> None:
        """The lease had ended: what was said meanwhile is of claims that were lost, and others have their numbers by now."""
        settled = [Lost(delivery.identity, outcome) for delivery, outcome in (*outcomes, *self._outcomes)]
        self._written += len(self._outcomes) + len(self._requeued)
        self._outcomes.clear()
        self._requeued.clear()
        self._held.clear()
        if self.confirm_times:
            self.confirm_times.forget()
        if self._listener:
            self._listener.on_lost(settled)

    def _end_turn(self) -> None:
        self._ended = self._begun
        if self._turn:
            self._turn.set_result(None)
        self._turn = asyncio.get_running_loop().create_future()

    async def _hold_on(self, error: BrokerUnreachable) -> None:
        """Pause before the next try, or raise the error when it has been so for long."""
        if self._give_up_at is None:
            _log.warning("%s; trying again for %.0f s", error, RETRY_FOR)
            self._give_up_at = time.monotonic() + RETRY_FOR
        elif time.monotonic() > self._give_up_at:
            raise error
        await asyncio.sleep(RETRY_EVERY)
