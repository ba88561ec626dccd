"""What a child prints, as its supervisor reads it: whose each piece is, in whole lines, and the end of it for each attempt."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Final

from warrener.worker.marking import CAPACITY, KEY_BYTES, MARK_BYTES, NOBODY
from warrener.worker.printed import Printed

if TYPE_CHECKING:
    from collections.abc import Callable

    from warrener.worker.pool.attempt import RunningAttempt
    from warrener.worker.printer import Printer

# Bytes after which more is to be expected at once, and not only when it is next looked for.
_MUCH: Final = CAPACITY // 2
_MOST_UNREAD_CHUNKS: Final = 4
_MARKED: Final = MARK_BYTES + KEY_BYTES


class ChildOutput:
    """The supervisor's end of a child's pipe.

    Args:
        pipe: Where to read.
        printer: Shows what comes.
        find: The attempt that has a key, as far as the child has it.
    """

    def __init__(self, pipe: int, printer: Printer, find: Callable[[int], RunningAttempt | None]) -> None:
        os.set_blocking(pipe, False)
        self.pipe = pipe
        self.is_open = True
        self._printer = printer
        self._find = find
        self._mark = b""
        self._rest = b""  # what may be the beginning of a mark
        self._key = NOBODY
        self._printed: dict[int, Printed] = {}
        self._loop: asyncio.AbstractEventLoop | None = None  # while so much comes that each turn has some
        self._has_news = False

    @property
    def must_wait(self) -> bool:
        """Whether nobody takes what it has printed, so that it should not print more."""
        self._has_news = self._has_news and self._printer.is_behind
        return self._has_news

    def look(self) -> bool:
        """Read what is there, and again as soon as there is more where that is much; whether there may be more at all."""
        if self.must_wait or self.read() < _MUCH:
            self._rest_a_while()
        elif self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self.pipe, self.look)
        return self.is_open

    def read(self) -> int:
        """Read what is there, all that was printed before this; how many bytes of it were printed by somebody."""
        if not self.is_open:
            return 0
        try:
            data = os.read(self.pipe, CAPACITY)
        except BlockingIOError:
            return 0
        if not data:
            self._end()
            return 0
        is_cut = len(data) == CAPACITY
        if self._rest:
            data, self._rest = self._rest + data, b""
        if not self._mark:
            if len(data) < MARK_BYTES:
                self._rest = data
                return 0
            self._mark, data = data[:MARK_BYTES], data[MARK_BYTES:]
        marks = data.count(self._mark)
        if marks * _MARKED == len(data):  # nobody has printed anything
            if marks:
                self._go_to(data[-KEY_BYTES:])
            return 0
        self._take(data, is_cut=is_cut)
        self._has_news = True
        return len(data) - marks * _MARKED

    def read_rest(self) -> None:
        """Read what was left, but not for ever where others go on writing."""
        for _ in range(_MOST_UNREAD_CHUNKS):
            if not self.read():
                return

    @property
    def has_any(self) -> bool:
        """Whether any attempt that has not ended has printed anything."""
        return bool(self._printed)

    def end(self, key: int) -> bytes:
        """An attempt has ended, and all that it has printed was read; the last 4 KiB of that."""
        printed = self._printed.pop(key, None)
        return printed.end() if printed else b""

    def close(self) -> None:
        """Read what is left, and no more; harmless when that is so."""
        self.read_rest()
        self._end()

    def _end(self) -> None:
        if self.is_open:
            self.is_open = False
            self._rest_a_while()
            os.close(self.pipe)
            for printed in self._printed.values():
                printed.end()

    def _take(self, data: bytes, *, is_cut: bool) -> None:
        """The pieces between the marks; a mark that is not wholly there waits for the rest."""
        if is_cut:
            begun = data.rfind(self._mark[:1], -_MARKED + 1)
            if begun >= 0 and self._mark.startswith(data[begun : begun + MARK_BYTES]):
                data, self._rest = data[:begun], data[begun:]
        first, *marked = data.split(self._mark)
        self._add(first)
        for piece in marked:
            self._go_to(piece[:KEY_BYTES])
            self._add(piece[KEY_BYTES:])

    def _rest_a_while(self) -> None:
        if self._loop:
            self._loop.remove_reader(self.pipe)
            self._loop = None

    def _go_to(self, key: bytes) -> None:
        self._key = int.from_bytes(key, "big")

    def _add(self, data: bytes) -> None:
        if not data:
            return
        printed = self._printed.get(self._key)
        if printed is None:
            attempt = self._find(self._key)
            if attempt is None:  # it comes after its attempt's end
                self._key = NOBODY
            printed = self._printed.get(self._key) or Printed(attempt, self._printer)
            self._printed[self._key] = printed
        printed.add(data)
