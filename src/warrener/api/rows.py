"""The rows of a batch in this program: they lie in a temporary file, so that any number of them takes no memory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import msgspec

from warrener.api.scratch import Scratch
from warrener.codec import NOT_JSON
from warrener.errors import WarrenerError
from warrener.models import Attempt  # noqa: TC001 - msgspec reads the annotations when it runs
from warrener.text import sanitize

if TYPE_CHECKING:
    from collections.abc import Sequence

_CHUNK: Final = 1 << 16


class Result(msgspec.Struct, frozen=True):
    """A task that completed.

    Args:
        task_id: The task's id.
        type: The task's type.
        value: What the handler returned, after its way through JSON: a tuple is a list, a dataclass a dict.
        attempts: The number of the attempt that completed.
        worker: Host and process that ran it.
        started_at: When that attempt began, in seconds since the epoch.
        processed_at: When it ended.
        duration: Seconds it took.
        history: The attempts that failed before, the last ten of them.
        origin: Where the task comes from, for people.
        wording: A digest of the task's type and data.
    """

    task_id: str
    type: str
    value: Any
    attempts: int
    worker: str
    started_at: float
    processed_at: float
    duration: float
    history: tuple[Attempt, ...] = ()
    origin: str = ""
    wording: str = ""


_results: Final = msgspec.json.Decoder(Result)


class Rows:
    """Rows as they come: written in the event loop of their batch, read in any thread, by several readers."""

    def __init__(self) -> None:
        self.count = 0
        """How many rows there are."""
        self.has_ended = False
        """Whether there will be no more."""
        self._scratch = Scratch()
        self._changed = asyncio.Event()

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return self._scratch.size

    def write(self, rows: Sequence[bytes]) -> None:
        """Take rows.

        Raises:
            WarrenerError: They cannot be kept.
        """
        if rows:
            self._scratch.append(b"\n".join(rows) + b"\n")
            self.count += len(rows)
            self._wake()

    def flush(self) -> None:
        """Nothing more is to be done for readers."""

    def end(self) -> None:
        """There will be no more."""
        self.has_ended = True
        self._wake()

    async def more(self, position: int) -> None:
        """Wait, in the loop that writes, until there is something after a position, or there will be no more."""
        while self.size <= position and not self.has_ended:
            await self._changed.wait()

    def read(self, position: int) -> list[tuple[int, Result]]:
        """Some rows from a position on, at which one begins, each with the position after it; none at the end.

        Raises:
            WarrenerError: One is not as a worker writes it.
        """
        if position >= self.size:
            return []
        wanted = _CHUNK
        while (end := (data := self._scratch.read(position, wanted)).rfind(b"\n")) < 0:
            wanted *= 2
        found = []
        for line in data[:end].split(b"\n"):
            position += len(line) + 1
            found.append((position, _decoded(line)))
        return found

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _decoded(line: bytes) -> Result:
    try:
        return _results.decode(line)
    except NOT_JSON as error:
        raise WarrenerError(f"a row of this batch is not as a worker writes it: {sanitize(error)}") from error
