"""The rows of the stream of results, which has them one by one and in packs."""

from __future__ import annotations

from bisect import bisect_right
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, NamedTuple

from warrener.brokers.rabbitmq import stream, stream_parts
from warrener.brokers.rabbitmq.packing import ROWS, unpack

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from warrener.brokers.rabbitmq.queue import Queue

_APART: Final = 1000  # rows between two offsets that are kept
_FEW: Final = 64  # messages
_MUCH: Final = 16 << 20  # bytes of rows that are enough at a time
_AT_A_TIME: Final = 5000
# rows: as many packs as are fetched at a time would be ten times as many


class Counted(NamedTuple):
    """How many rows the first messages have, and the last of these messages, by which the stream is known; empty where nobody knows it."""

    messages: int = 0
    rows: int = 0
    last: bytes = b""


class Offsets:
    """Which message has which row, as far as somebody has read: a message may have many."""

    def __init__(self) -> None:
        self.end = Counted()
        """As far as they were read from the beginning on."""
        self.counted = Counted()
        """As far as they were counted in some other way."""
        self._first: bytes | None = None  # by which the stream is known
        self._rows = [0]
        self._offsets = [0]

    @property
    def has_no_packs(self) -> bool:
        """Whether some messages are known, and each of them is one row."""
        known = max(self.end, self.counted)
        return 0 < known.messages == known.rows

    def counted_before(self, messages: int) -> Counted:
        """What is known of the rows of so many messages, or of the first ones of them."""
        known = (Counted(), self.end, self.counted)
        return max(found for found in known if found.messages <= messages)

    def begin(self, first: bytes) -> None:
        """Somebody reads from the beginning, where this message is; where it was another one, others follow."""
        if first != self._first:
            self._first = first
            del self._rows[1:], self._offsets[1:]

    def add(self, rows: int, offset: int) -> None:
        """Before the message of this offset there are so many rows."""
        if rows >= self._rows[-1] + _APART:
            self._rows.append(rows)
            self._offsets.append(offset)

    def before(self, row: int) -> tuple[int, int]:
        """The last message known of that is not after this row: how many rows are before it, and its offset."""
        at = bisect_right(self._rows, row) - 1
        return self._rows[at], self._offsets[at]


async def read(queue: Queue, offsets: Offsets, *, follow: bool) -> AsyncGenerator[Sequence[bytes]]:
    """See `Reader.results`."""
    count, last = 0, 0
    async with aclosing(stream.batches(queue, queue.names.results, follow=follow)) as batches:
        async for after, messages in batches:
            first = after - len(messages)
            if messages and (not count or first < last):  # for the first time, or after a purge
                count = 0
                offsets.begin(messages[0].body)
            found: list[bytes] = []
            for offset, message in enumerate(messages, first):
                offsets.add(count, offset)
                rows = unpack(message.body)
                count += len(rows)
                found += rows
                if len(found) >= _AT_A_TIME and message is not messages[-1]:
                    yield found
                    found = []
            if messages:
                last = after
                offsets.end = Counted(last, count, messages[-1].body)
            elif after < last:  # it may have been purged, which the next message tells
                offsets.end = Counted()
            yield found


async def newest(queue: Queue, most: int, enough: int | None) -> Sequence[bytes]:
    """See `Reader.newest_results`."""
    # As many as are needed if all of them are packs, and a few at once: to look again costs more.
    messages = max(most // ROWS + 1, min(most, _FEW))
    while True:
        bodies = await stream_parts.newest(queue, queue.names.results, messages, enough)
        found = [row for body in bodies for row in unpack(body)]
        if len(found) >= most or len(bodies) < messages:
            return found[-most:]
        # As many as it takes if those before are as these, each of which has a row at least.
        messages = max(2 * messages, min(most, most * len(bodies) // max(1, len(found))) + 1)


async def at(queue: Queue, offsets: Offsets, first: int, most: int) -> Sequence[bytes]:
    """See `Reader.results_at`."""
    before, offset = offsets.before(first)
    skipped = first - before
    found: list[bytes] = []
    async with aclosing(stream_parts.at(queue, queue.names.results, offset, skipped + most)) as batches:
        async for bodies in batches:
            rows = [row for body in bodies for row in unpack(body)]
            found += rows[skipped:]
            skipped = max(0, skipped - len(rows))
            if len(found) >= most or sum(map(len, found)) >= _MUCH:
                break
    return found[:most]
