"""What the failures tell: when tasks failed, of which types, in which groups, with an example of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from warrener.failures import Groups
from warrener.history.completed import MOST_TYPES, OTHERS
from warrener.history.places import Places
from warrener.history.timeline import Timeline
from warrener.published import mark_of_task

if TYPE_CHECKING:
    from warrener.failures import Group
    from warrener.models import Failure

_MOST_EXAMPLES: Final = 200
_MOST_DATA: Final = 2048  # bytes of an example's task that are kept


class OfType(msgspec.Struct):
    """The failed tasks of one type."""

    failed: int = 0
    retries: int = 0


class Failed:
    """A fold of failures: one a task, of those that have no row.

    Args:
        places: Who has a row.
        stale: Failures to leave out, as `warrener.latest.superseded` tells them.
    """

    def __init__(self, places: Places, stale: frozenset[bytes] = frozenset()) -> None:
        self.count = 0
        self.read = 0
        """How many were read, those that are left out included."""
        self.timeline = Timeline()
        self.types: dict[str, OfType] = {}
        self.by_reason: dict[str, int] = {}
        self.begin = float("inf")
        """When the first attempt began, as far as failures tell, in seconds since the epoch."""
        self.end = 0.0
        """When the last one failed."""
        self.examples: dict[tuple[str, str, str | None], Failure] = {}
        """The first failure of a group, by its reason, error and fingerprint, with its last attempt alone."""
        self._groups = Groups()
        self._places = places
        self._stale = stale
        self._seen = Places()

    @property
    def groups(self) -> list[Group]:
        """The groups, the largest first."""
        return self._groups.largest_first()

    def add(self, found: Failure) -> None:
        """Take in one more."""
        self.read += 1
        task_id, wording = found.task_id, found.wording
        is_stale = bool(self._stale) and mark_of_task(task_id, wording) in self._stale
        if is_stale or self._places.has(task_id, wording):
            return
        if not self._seen.add_all(((task_id, wording),), self.read):
            return
        self.count += 1
        self.by_reason[found.reason] = self.by_reason.get(found.reason, 0) + 1
        name = found.type if found.type in self.types or len(self.types) < MOST_TYPES else OTHERS
        of_type = self.types.setdefault(name, OfType())
        of_type.failed += 1
        of_type.retries += max(0, found.attempts - 1)
        if found.failed_at is not None:
            self.timeline.add(found.failed_at)
            self.end = max(self.end, found.failed_at)
        if found.history and found.history[0].started_at:
            self.begin = min(self.begin, found.history[0].started_at)
        group = self._groups.add(found)
        if group.count == 1 and len(self.examples) < _MOST_EXAMPLES:
            self.examples[group.key] = _short(found)


def _short(found: Failure) -> Failure:
    """The failure as an example: its last attempt alone, and its task where that is small."""
    is_small = len(msgspec.json.encode(found.task)) <= _MOST_DATA
    return replace(found, history=found.history[-1:], task=found.task if is_small else None, body_base64=None)
