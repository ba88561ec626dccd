"""What was counted, kept until it is acted on: nothing else is touched, whatever fails meanwhile."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from warrener.id_set import IdSet
from warrener.web.answers import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warrener.models import Failure

_MOST: Final = 20


class Selection:
    """Certain failures of a queue, each as it was when it was counted.

    Args:
        queue: Whose.
        names: Id and time of each.
    """

    ids: frozenset[str] = frozenset()
    """None that must be there."""

    def __init__(self, queue: str, names: Iterable[tuple[str, float | None]]) -> None:
        self.queue = queue
        self.count = 0
        self._names = IdSet()
        for task_id, failed_at in names:
            self.count += self._names.add(_name(task_id, failed_at))

    def fits(self, found: Failure) -> bool:
        """Whether this failure was counted; one that has failed anew since was not."""
        return _name(found.task_id, found.failed_at) in self._names


class Selections:
    """The last ones."""

    def __init__(self) -> None:
        self._kept: dict[str, Selection] = {}

    def keep(self, selection: Selection) -> str:
        """Keep one; what it is called."""
        while len(self._kept) >= _MOST:
            del self._kept[next(iter(self._kept))]
        name = secrets.token_urlsafe(12)
        self._kept[name] = selection
        return name

    def find(self, name: str, queue: str) -> Selection:
        """One that is kept.

        Raises:
            Refused: It is not, any more.
        """
        found = self._kept.get(name)
        if found is None or found.queue != queue:
            raise Refused(409, "what was counted is not known any more: count again")
        return found


def _name(task_id: str, failed_at: float | None) -> str:
    return f"{failed_at!r} {task_id}"
