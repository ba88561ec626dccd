"""Which tasks have a row, and where in the stream it is: 24 bytes for each."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_FEWEST: Final = 1 << 12
_MOST_EXPECTED: Final = 1 << 22  # for which the table has 32 MB; of more it grows as they come
_LOW: Final = (1 << 32) - 1


class Places:
    """Ids of tasks that have a row, each with its row's place among all rows.

    An id is known by 64 bits of a hash that only this process has: at a million ids the chance that any two of them are taken
    for one is below 10**-7.

    Args:
        expected: How many there will be, as far as that is known, so that the table need not grow.
    """

    def __init__(self, expected: int = 0) -> None:
        self.worded_anew = 0
        """How often an id came once more with another wording."""
        self._ids = array("q")
        self._wordings = array("I")
        self._places = array("I")
        self._slots = array("I")  # 0 where there is none, or the number of an entry, counted from 1
        self._mask = 0
        self._make(max(_FEWEST, 1 << (2 * min(expected, _MOST_EXPECTED)).bit_length()))

    def __len__(self) -> int:
        return len(self._places)

    def add_all(self, tasks: Iterable[tuple[str, str]], first: int) -> list[int]:
        """Keep the places of rows that follow each other; of a task that has one already the one it has stays.

        Returns the places that were kept.

        Args:
            tasks: Id and wording, as each row has them.
            first: How many rows were before the first of these.
        """
        ids, slots, mask = self._ids, self._slots, self._mask
        kept, number = [], len(ids)
        for place, (task_id, wording) in enumerate(tasks, first):
            mark = hash(task_id)
            slot = mark & mask
            while (found := slots[slot]) and ids[found - 1] != mark:
                slot = (slot + 1) & mask
            if found:
                self.worded_anew += self._wordings[found - 1] != hash(wording) & _LOW
                continue
            number += 1
            slots[slot] = number
            ids.append(mark)
            self._wordings.append(hash(wording) & _LOW)
            kept.append(place)
            if 2 * number > mask:
                self._make(2 * (mask + 1))
                slots, mask = self._slots, self._mask
        self._places.extend(kept)
        return kept

    def place(self, task_id: str) -> int | None:
        """The place of a task's row; None where it has none."""
        number = self._number(task_id)
        return self._places[number - 1] if number else None

    def has(self, task_id: str, wording: str) -> bool:
        """Whether a task has a row, of whatever wording; of another one that is counted in `worded_anew`."""
        number = self._number(task_id)
        if number:
            self.worded_anew += self._wordings[number - 1] != hash(wording) & _LOW
        return number > 0

    def _number(self, task_id: str) -> int:
        mark = hash(task_id)
        slot = mark & self._mask
        while (found := self._slots[slot]) and self._ids[found - 1] != mark:
            slot = (slot + 1) & self._mask
        return found

    def _make(self, size: int) -> None:
        """Make a table of so many slots, a power of two."""
        slots, mask = array("I", bytes(4 * size)), size - 1
        for number, mark in enumerate(self._ids, 1):
            slot = mark & mask
            while slots[slot]:
                slot = (slot + 1) & mask
            slots[slot] = number
        self._slots, self._mask = slots, mask
