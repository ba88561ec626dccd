"""What attempts have printed, as it is kept beside a queue and read again: records of many pieces, a line of JSON each."""

from __future__ import annotations

from collections import deque
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from warrener.brokers.protocol import Log
from warrener.codec import NOT_JSON

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Container, Sequence

    from warrener.brokers import Broker

# A record that a worker has written twice, since a connection broke, is among the last so many.
_RECENT: Final = 1000


class LogPiece(msgspec.Struct, frozen=True, omit_defaults=True):
    """Some lines that an attempt has printed.

    Args:
        task_id: The task's id.
        attempt: The attempt's number.
        at: When the first of it came, in seconds since the epoch.
        text: What was printed, where it is UTF-8.
        data: The same, where it is not.
        outcome: What became of the task, in the last piece of the attempt: `completed`, `delayed` or `failed`.
    """

    task_id: str
    attempt: Annotated[int, msgspec.Meta(ge=0)]
    at: float
    text: str = ""
    data: bytes = b""
    outcome: str = ""

    @classmethod
    def of(cls, task_id: str, attempt: int, at: float, printed: bytes, outcome: str) -> LogPiece:
        """A piece with what was printed, exactly."""
        try:
            return cls(task_id, attempt, at, printed.decode(), outcome=outcome)
        except UnicodeDecodeError:
            return cls(task_id, attempt, at, data=printed, outcome=outcome)

    @property
    def printed(self) -> bytes:
        """What was printed."""
        return self.data or self.text.encode()


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(LogPiece)


def pack(piece: LogPiece) -> bytes:
    """A piece as a line of a record, without its end."""
    return _encoder.encode(piece)


def read(
    broker: Broker, ids: Container[str] | None = None, *, follow: bool = False
) -> AsyncGenerator[LogPiece]:
    """What was printed, in the order it was kept.

    Args:
        broker: An open broker.
        ids: Only of these tasks.
        follow: Wait for more instead of ending.

    Raises:
        QueueMissing: There is no queue, or it keeps no logs.
    """
    return _pieces(broker.noted(Log.OUTPUT, follow=follow), ids)


def read_since(broker: Broker, at: float) -> AsyncGenerator[LogPiece]:
    """What was kept from a time on, and maybe some of before, as far as there is any; see `Journal.output_since`."""
    return _pieces(broker.output_since(at), None)


async def _pieces(
    batches: AsyncIterator[Sequence[bytes]], ids: Container[str] | None
) -> AsyncGenerator[LogPiece]:
    recent: deque[int] = deque(maxlen=_RECENT)
    seen: set[int] = set()
    async with aclosing(batches):  # type: ignore[type-var] # all of them are generators
        async for records in batches:
            for record in records:
                digest = hash(record)
                if digest in seen:
                    continue
                if len(recent) == _RECENT:
                    seen.discard(recent[0])
                recent.append(digest)
                seen.add(digest)
                for line in record.split(b"\n"):
                    try:
                        piece = _decoder.decode(line)
                    except NOT_JSON:  # somebody else's
                        continue
                    if ids is None or piece.task_id in ids:
                        yield piece
