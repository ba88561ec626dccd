"""A set of ids that stays small, however many there are."""

from __future__ import annotations

from warrener.marks import Marks, mark_of

_SEEN = 1


class IdSet:
    """Which ids were seen, by their marks."""

    def __init__(self) -> None:
        self._marks = Marks()

    def __contains__(self, name: str) -> bool:
        return self._marks.flags(mark_of(name)) != 0

    def add(self, name: str) -> bool:
        """Add an id; whether it was new.

        Raises:
            WarrenerError: The temporary directory has no room for so many.
        """
        return self.add_mark(mark_of(name))

    def add_mark(self, mark: bytes) -> bool:
        """Add an id by its mark; whether it was new. Raises: as `add`."""
        return not self._marks.add(mark, _SEEN)
