"""A queue in memory, without an event loop: what is where, and what each step does to it."""

from __future__ import annotations

import heapq
import time
from collections import Counter
from itertools import count
from typing import TYPE_CHECKING, Final

import msgspec

from warrener.brokers.protocol import DELIVERY_BACKSTOP, Completed, Delayed, FailedTask, Log
from warrener.codec import decode_record, encode_record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from warrener.brokers.protocol import Message, Outcome
    from warrener.models import Record


MOST_OUTPUT: Final = 16 * 1024 * 1024
"""So many bytes of what tasks print are kept."""


class Entry(msgspec.Struct, eq=False):
    """A task on the queue.

    Args:
        number: Its place in the order of publishing.
        body: The task as published.
        id: The message's own id.
        priority: Higher first.
        record: What happened to it before, as JSON.
        lost: How often whoever had taken it vanished, since it was last published.
        published_at: When, in seconds since the epoch.
        trace: See `Message`.
    """

    number: int
    body: bytes
    id: str
    priority: int
    record: bytes | None = None
    lost: int = 0
    published_at: float = msgspec.field(default_factory=time.time)
    trace: str = ""


class Queue:
    """One queue; for one thread at a time.

    Args:
        now: A clock, in seconds. It may jump: what is delayed is due as soon as it says so.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.delays: set[int] = set()
        self.results: list[bytes] = []
        self.noted: dict[Log, list[bytes]] = {log: [] for log in Log}
        self.dropped: dict[Log, int] = dict.fromkeys(Log, 0)
        """How many records there were before those."""
        self.keeps_output = False
        self.beats: dict[object, tuple[int, bytes]] = {}
        """What each worker told last, and how many beats that makes."""
        self.told = 0
        self.failures: dict[int, FailedTask] = {}
        self.is_deleted = False
        self.consumers = 0
        self.watchers: set[Callable[[], None]] = set()
        """Called whenever there may be something to take, and when the queue is deleted."""
        self.now = now
        self._numbers = count()
        self._ready: list[tuple[int, int, Entry]] = []
        self._delayed: list[tuple[float, int, Entry]] = []
        self._processing: dict[int, Entry] = {}

    # --- in and out

    def publish(self, messages: Sequence[Message]) -> None:
        """Add tasks."""
        for message in messages:
            record = encode_record(message.record) if message.record else None
            number = next(self._numbers)
            entry = Entry(number, message.body, message.id, message.priority, record, trace=message.trace)
            self._make_ready(entry)
        self.notify()

    def take(self) -> Entry | None:
        """The most urgent task that is ready, now being processed; None where there is none."""
        if not self.ready:
            return None
        entry = heapq.heappop(self._ready)[-1]
        self._processing[entry.number] = entry
        return entry

    @property
    def next_due(self) -> float | None:
        """When the next delayed task is due, by the queue's clock; None where none is delayed."""
        return self._delayed[0][0] if self._delayed else None

    def settle(self, entry: Entry, outcome: Outcome) -> None:
        """End the processing of a task with its outcome."""
        self.drop(entry)
        if isinstance(outcome, Completed):
            self.results.append(outcome.body)
        elif isinstance(outcome, Delayed):
            entry.record, entry.lost = encode_record(outcome.record), 0
            due = self.now() + outcome.delay / 1000
            heapq.heappush(self._delayed, (due, entry.number, entry))
        else:
            self._fail(entry, outcome.record)
        self.notify()

    def requeue(self, entry: Entry) -> None:
        """Put a task that was taken back where it was."""
        self.drop(entry)
        self._make_ready(entry)
        self.notify()

    def lose(self, entry: Entry) -> None:
        """Put back a task whose worker vanished; once too often, and it fails."""
        entry.lost += 1
        if entry.lost <= DELIVERY_BACKSTOP:
            self.requeue(entry)
            return
        self.drop(entry)
        self._fail(entry, decode_record(entry.record).add_lost(entry.lost).fail("crashed"))

    def drop(self, entry: Entry) -> None:
        """End the processing of a task without a word."""
        self._processing.pop(entry.number, None)

    def take_out(self, number: int, message: Message | None = None) -> bool:
        """Remove a failure, and publish a message for it; whether it was still there."""
        if self.failures.pop(number, None) is None:
            return False
        if message:
            self.publish([message])
        return True

    # --- as a whole

    @property
    def ready(self) -> int:
        """How many tasks are ready, those among them whose delay is over."""
        now = self.now()
        while self._delayed and self._delayed[0][0] <= now:
            self._make_ready(heapq.heappop(self._delayed)[-1])
        return len(self._ready)

    @property
    def ready_by_priority(self) -> Mapping[int, int]:
        """The same of each priority."""
        return Counter(entry.priority for *_, entry in self._ready) if self.ready else {}

    @property
    def delayed(self) -> int:
        """How many tasks are delayed; one whose delay is over may still be counted."""
        return len(self._delayed)

    @property
    def processing(self) -> int:
        """How many tasks are processed."""
        return len(self._processing)

    def purge(self) -> int:
        """Drop what is ready, delayed or has ended; how many that were."""
        dropped = len(self._ready) + len(self._delayed) + len(self.results) + len(self.failures)
        self._ready, self._delayed, self.failures = [], [], {}
        self.results = []  # another one, by which readers see that they are to begin anew
        self._drop(Log.OUTPUT, len(self.noted[Log.OUTPUT]))
        return dropped

    def delete(self) -> None:
        """Be no more; whoever watches is told."""
        self.is_deleted = True
        self.notify()

    def note(self, log: Log, records: Sequence[bytes]) -> None:
        """Write down records; the oldest output makes room."""
        self.noted[log].extend(records)
        if log is Log.OUTPUT:
            size = sum(map(len, self.noted[log]))
            while size > MOST_OUTPUT:
                size -= len(self.noted[log][0])
                self._drop(log, 1)

    def _drop(self, log: Log, count: int) -> None:
        del self.noted[log][:count]
        self.dropped[log] += count

    def notify(self) -> None:
        """Tell whoever watches that there may be something to take."""
        for watcher in (*self.watchers,):
            watcher()

    def _make_ready(self, entry: Entry) -> None:
        heapq.heappush(self._ready, (-entry.priority, entry.number, entry))

    def _fail(self, entry: Entry, record: Record) -> None:
        self.failures[next(self._numbers)] = FailedTask(
            entry.body, entry.id, entry.priority, record, entry.trace
        )
