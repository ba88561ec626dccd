"""Failures in groups of one cause each."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from warrener.failures.fingerprint import fingerprint

if TYPE_CHECKING:
    from warrener.models import Failure

MAX_GROUPS: Final = 1000
# A type of error that says something else each time leaves room for the others.
MAX_OF_AN_ERROR: Final = 100


class Group(msgspec.Struct):
    """Failures that ended alike.

    Args:
        reason: As in `Failure.reason`.
        error: The last attempt's error type; empty for the others.
        fingerprint: What its message says, without what differs from task to task; None for the others: failures that came
            when there were too many groups already.
        count: How many.
        first_failed_at: When the first of them failed, in seconds since the epoch, as far as that is known.
        last_failed_at: When the last one did.
        example_id: A task of this group.
        example_message: What its error said.
        example_origin: Where it comes from.
    """

    reason: str
    error: str
    fingerprint: str | None
    count: int = 0
    first_failed_at: float | None = None
    last_failed_at: float | None = None
    example_id: str = ""
    example_message: str = ""
    example_origin: str = ""

    @property
    def key(self) -> tuple[str, str, str | None]:
        """What tells it from other groups."""
        return self.reason, self.error, self.fingerprint

    def add(self, found: Failure) -> None:
        """Count one more."""
        if not self.count:
            self.example_id, self.example_message = found.task_id, found.message
            self.example_origin = found.origin
        self.count += 1
        if found.failed_at is not None:
            self.first_failed_at = min(self.first_failed_at or found.failed_at, found.failed_at)
            self.last_failed_at = max(self.last_failed_at or found.failed_at, found.failed_at)


class Groups:
    """Groups of as many failures as there are, in a few MB: there are not much more than a thousand."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str, str | None], Group] = {}
        self._of_an_error: Counter[tuple[str, str]] = Counter()

    def add(self, found: Failure) -> Group:
        """Count one more failure; its group."""
        key = self._key(found)
        if key not in self._groups:
            self._groups[key] = Group(*key)
            self._of_an_error[key[:2]] += 1
        group = self._groups[key]
        group.add(found)
        return group

    def largest_first(self) -> list[Group]:
        """All groups."""
        return sorted(self._groups.values(), key=lambda group: -group.count)

    def _key(self, found: Failure) -> tuple[str, str, str | None]:
        key = (found.reason, found.error, fingerprint(found))
        if key in self._groups:
            return key
        if self._of_an_error[key[:2]] >= MAX_OF_AN_ERROR:
            return (found.reason, found.error, None)
        return key if len(self._groups) < MAX_GROUPS else (found.reason, "", None)
