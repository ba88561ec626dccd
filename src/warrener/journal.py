"""What a queue's journal says: whose batch this is, how many tasks it has, and who did what.

Every record is a small JSON object. The first `Begun` is the queue's identity, until all that began have left without
having published anything: then it is nobody's, and the next one's.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from warrener.brokers import Log
from warrener.codec import NOT_JSON, encode
from warrener.published import Dropped

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warrener.brokers import Broker

STDIN_SOURCE: Final = "stdin"


class Begun(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="begun"):
    """Somebody begins to publish a source.

    Args:
        run: Names this run, and no other.
        source: Where the tasks come from: `HOST:/path/tasks.jsonl`.
        app: What they are run with: `HOST:/path/app.py`; empty where only publishing is done.
        app_digest: Of the app's file, so that rows of an earlier app can be told.
        by: Who: `user@host`.
        at: When, in seconds since the epoch.
        planned: How many tasks there will be, as far as the number of lines tells.
    """

    run: str
    source: str
    at: float
    app: str = ""
    app_digest: str = ""
    by: str = ""
    planned: int | None = None

    @property
    def has_unknown_end(self) -> bool:
        """Whether only reading tells how many tasks there are. What came from stdin ended where somebody ended it."""
        return self.planned is None and not self.source.endswith(f":{STDIN_SOURCE}")


class Read(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="read"):
    """A run has published all of its source.

    Args:
        run: Which.
        tasks: How many tasks the source has.
        stale_rows: How many rows on the queue are none of these tasks': of earlier wordings, or of other sources.
        stale_failures: How many failures are none of theirs.
    """

    run: str
    tasks: int
    stale_rows: int = 0
    stale_failures: int = 0


class Publishing(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="publishing"):
    """A run is still publishing.

    Args:
        run: Which.
    """

    run: str


class Left(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="left"):
    """A run has ended before all of its source was published.

    Args:
        run: Which.
        has_published: Whether it published any, as far as is known.
    """

    run: str
    has_published: bool = True


class Acted(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="acted"):
    """Somebody has taken out failures.

    Args:
        what: What became of them.
        count: How many.
        by: Who: `user@host`.
        at: When, in seconds since the epoch.
        of: Which, in words.
    """

    what: Literal["retried", "discarded", "edited"]
    count: int
    by: str
    at: float
    of: str = ""


class Purged(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="purged"):
    """Somebody has dropped all that waited and had ended.

    Args:
        by: Who: `user@host`.
        at: When, in seconds since the epoch.
    """

    by: str
    at: float


Record = Begun | Publishing | Left | Read | Acted | Purged
_records: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


async def note(broker: Broker, record: Record) -> None:
    """Write a record into a queue's journal.

    Raises:
        BrokerError: The broker is lost, or refuses it.
    """
    await broker.note(Log.JOURNAL, [encode(record)])


async def read_journal(broker: Broker) -> JournalState:
    """What a queue's journal says so far.

    Raises:
        AccessRefused: This user may not read it.
        BrokerError: The broker is lost.
    """
    state = JournalState()
    async for records in broker.noted(Log.JOURNAL):
        state.add(records)
    return state


async def note_purged(broker: Broker, by: str, at: float) -> None:
    """Write down that nothing is on the queue any more, and who has dropped it. Raises: as `note`."""
    await broker.note(Log.PUBLISHED, [encode(Dropped())])
    await note(broker, Purged(by, at))


class JournalState:
    """All that a journal has said so far."""

    def __init__(self) -> None:
        self.first: Begun | None = None
        """Whose queue it is; None while nobody published with a journal, or all who began have left without."""
        self.runs = 0
        """How many runs published here."""
        self.last: Begun | None = None
        """The newest run."""
        self.totals: dict[str, int] = {}
        """How many tasks each source has here, as far as is known: as planned until it was read to its end."""
        self.read: Read | None = None
        """What the newest run said when it had published all of its source."""
        self._is_unread = False  # whether the newest run has not said so, of a source with an unknown end
        self._publishing: dict[str, tuple[Begun, int]] = {}  # and the number of its records, by run
        self._claims: set[str] = set()  # runs that may have published here

    def publishing(self, *, with_app: bool = False) -> dict[str, int]:
        """All runs that have not published all of their source, or those with an app alone, and how many records each has written."""
        return {run: count for run, (begun, count) in self._publishing.items() if begun.app or not with_app}

    @property
    def is_publishing(self) -> bool:
        """Whether a run has not published all of its source, and has not left."""
        return bool(self._publishing)

    @property
    def unended_claims(self) -> dict[str, int]:
        """All runs whose queue it may be, where none of them has ended, and how many records each has written."""
        return self.publishing() if self._claims <= self._publishing.keys() else {}

    def publishing_before(self, begun: Begun) -> dict[str, int]:
        """Runs that began to publish the same source earlier and have not ended, and how many records each has written."""
        found = {}
        for run, (other, count) in self._publishing.items():  # in the order in which they began
            if run == begun.run:
                break
            if other.source == begun.source:
                found[run] = count
        return found

    def add(self, records: Iterable[bytes]) -> None:
        """Take in what came next; what is no record of ours is passed over."""
        for body in records:
            with suppress(*NOT_JSON):
                self._note(_records.decode(body))

    @property
    def total(self) -> int | None:
        """How many tasks all sources have; None where nobody said.

        Sources that share a queue may have tasks in common, which the broker has once: of them it is told only while one
        is being published.
        """
        is_known = len(self.totals) == 1 or (self.totals and self._publishing)
        return sum(self.totals.values()) if is_known else None

    @property
    def has_unknown_rest(self) -> bool:
        """Whether the one source may have more tasks than were published, and nobody knows how many."""
        return self._is_unread and len(self.totals) == 1

    def unpublished(self, known: int) -> int:
        """How many tasks of the one source, at least, are not published, where the queue has so many, or had; 0 where nobody can tell."""
        is_whole = self.read is not None or len(self.totals) != 1
        return 0 if is_whole else max(0, (self.total or 0) - known)

    @property
    def stale_rows(self) -> int:
        """How many rows are of earlier wordings, as far as is known; those of several sources cannot be told apart."""
        return self.read.stale_rows if self.read and len(self.totals) == 1 else 0

    @property
    def stale_failures(self) -> int:
        """How many failures are of earlier wordings, as far as is known."""
        return self.read.stale_failures if self.read and len(self.totals) == 1 else 0

    def _note(self, record: Record) -> None:
        if isinstance(record, Begun):
            self.first = self.first or record
            self._claims.add(record.run)
            self.last = record
            self.runs += 1
            self.totals[record.source] = max(record.planned or 0, self.totals.get(record.source, 0))
            self.read, self._is_unread = None, record.has_unknown_end
            self._publishing[record.run] = (record, 1)
        elif isinstance(record, Publishing):
            if record.run in self._publishing:
                begun, count = self._publishing[record.run]
                self._publishing[record.run] = (begun, count + 1)
        elif isinstance(record, Purged):  # a queue stays its sources', of which nothing is there
            self.totals, self.read = dict.fromkeys(self.totals, 0), None
            self._is_unread = False
        elif not isinstance(record, Acted):
            self._end(record)

    def _end(self, record: Left | Read) -> None:
        self._publishing.pop(record.run, None)
        if isinstance(record, Left) and not record.has_published:
            self._release(record.run)
        if isinstance(record, Read) and self.last and record.run == self.last.run:
            self.totals[self.last.source], self.read = record.tasks, record
            self._is_unread = False

    def _release(self, run: str) -> None:
        """This run published nothing. While others may have, the queue stays whose it was: their tasks' ids go by that."""
        self._claims.discard(run)
        if not self._claims:
            self.first = None
            self.totals.clear()
