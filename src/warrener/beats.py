"""What workers run, told by each of them every two seconds: a beat. Nothing of it is kept, and nobody waits for it.

Who looks hears what is told from then on, and takes a worker that has told nothing for five seconds for gone.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import msgspec

from warrener.brokers.protocol import BEATS_LAST
from warrener.codec import NOT_JSON, encode
from warrener.errors import BrokerError
from warrener.models import MAX_NAME_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from warrener.brokers import Broker

EVERY: Final = 2.0
"""Seconds between two beats of a worker."""
MOST_RUNNING: Final = 100
"""So many attempts a beat has, those that have run longest; a worker with thousands of slots tells how many it leaves out."""

_Name = Annotated[str, msgspec.Meta(max_length=MAX_NAME_BYTES)]
_Number = Annotated[float, msgspec.Meta(ge=0)]
_Count = Annotated[int, msgspec.Meta(ge=0)]


class Running(msgspec.Struct, frozen=True):
    """One attempt that runs.

    Args:
        task_id: The task's id.
        type: The task's type.
        attempt: 1 for the task's first one.
        seconds: How long it had run when this was told.
        done: What it has said of its progress (`Attempt.progress`); None where it said nothing.
        total: Of how much; None where it did not say.
    """

    task_id: _Name
    type: _Name
    attempt: _Count
    seconds: _Number
    done: _Number | None = None
    total: _Number | None = None


class Beat(msgspec.Struct, frozen=True):
    """What one worker is doing.

    Args:
        worker: Its host and process.
        key: What tells it from others of that name, as containers on one host's network have them.
        version: Warrener's.
        slots: How many tasks it can run at a time.
        seconds: How long it has lived.
        running: What it runs, the longest first, at most `MOST_RUNNING`.
        omitted: How many more it runs.
        completed: How many tasks have completed here.
        delayed: How many attempts have failed here and are tried again.
        failed: How many tasks have failed for good here.
        memory: Bytes that its children have in RAM, what they share counted in each; None where the system does not tell.
        is_paused: Whether it takes nothing, by an order.
        is_stopping: Whether it was told to stop.
    """

    worker: Annotated[str, msgspec.Meta(max_length=2 * MAX_NAME_BYTES)]
    key: _Name
    version: _Name
    slots: _Count
    seconds: _Number
    running: Annotated[tuple[Running, ...], msgspec.Meta(max_length=MOST_RUNNING)] = ()
    omitted: _Count = 0
    completed: _Count = 0
    delayed: _Count = 0
    failed: _Count = 0
    memory: _Count | None = None
    is_paused: bool = False
    is_stopping: bool = False


_beats: Final = msgspec.json.Decoder(Beat)


def write(beat: Beat) -> bytes:
    """A beat as the broker carries it."""
    return encode(beat)


class At(NamedTuple):
    """An attempt, and the worker that runs it."""

    running: Running
    worker: str


class Heard:
    """What was heard of the workers of a queue: the newest of each that is not gone.

    Args:
        now: A clock, in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.error: BrokerError | None = None
        """Why nothing is heard."""
        self._now = now
        self._newest: dict[tuple[str, str], tuple[float, Beat]] = {}
        self._changed = asyncio.Event()

    def add(self, bodies: Iterable[bytes]) -> None:
        """Take in what came; what is no beat is passed over."""
        now = self._now()
        for body in bodies:
            try:
                beat = _beats.decode(body)
            except NOT_JSON:
                continue
            self._newest[beat.worker, beat.key] = now, beat
        self._changed.set()

    @property
    def workers(self) -> list[Beat]:
        """The newest beat of each worker that is not gone, by name."""
        now = self._now()
        self._newest = {key: told for key, told in self._newest.items() if now - told[0] < BEATS_LAST}
        return [beat for _, (_, beat) in sorted(self._newest.items(), key=lambda told: told[0])]

    @property
    def running(self) -> list[At]:
        """What runs, the longest first."""
        found = [At(running, beat.worker) for beat in self.workers for running in beat.running]
        return sorted(found, key=lambda at: -at.running.seconds)

    @property
    def omitted(self) -> int:
        """How much more runs that nobody told."""
        return sum(beat.omitted for beat in self.workers)

    async def have(self, workers: int | None, seconds: float) -> None:
        """Wait until so many workers were heard, or nothing can be, or for so many seconds; None for all these seconds."""
        end = asyncio.get_running_loop().time() + seconds
        while not self.error and (workers is None or len(self._newest) < workers):
            self._changed.clear()
            try:
                async with asyncio.timeout_at(end):
                    await self._changed.wait()
            except TimeoutError:
                return

    def fail(self, error: BrokerError) -> None:
        """Nothing more will be heard."""
        self.error = error
        self._changed.set()


@asynccontextmanager
async def listening(broker: Broker) -> AsyncIterator[Heard]:
    """Hear what workers tell, from now on until it is left. What stands in the way ends nothing: see `Heard.error`."""
    heard = Heard()

    async def listen() -> None:
        try:
            async with aclosing(broker.beats()) as batches:  # type: ignore[type-var] # every broker has a generator
                async for bodies in batches:
                    heard.add(bodies)
        except BrokerError as error:
            heard.fail(error)

    task = asyncio.create_task(listen())
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
