"""Which failures are wanted, as the page asks: by their members, their group, and what is said anywhere in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

import msgspec

from warrener.codec import encode
from warrener.errors import UsageError
from warrener.failures import Where
from warrener.models import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LONGEST: Final = 1000  # characters of any part

decode: Final = msgspec.json.Decoder(Failure).decode
"""Reads a failure as it is kept."""


class FailureFilter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What must be so of a failure; what is not given need not.

    Args:
        reason: As in `Failure.reason`.
        type: As in `Failure.type`.
        error: As in `Failure.error`.
        text: What is said somewhere in it, in upper or lower case: in its id, type, reason, error, message, the tracebacks and
            output of its attempts, or its data as JSON.
        where: Paths and values, as `warrener failures --where` takes them.
        group: The key of its group.
    """

    reason: str = ""
    type: str = ""
    error: str = ""
    text: str = ""
    where: tuple[str, ...] = ()
    group: str = ""

    def __post_init__(self) -> None:
        given = (self.reason, self.type, self.error, self.text, self.group, *self.where)
        if any(len(part) > _LONGEST for part in given):
            raise UsageError(f"a part of this filter has more than {_LONGEST:,} characters: shorten it")
        self.wheres()

    @classmethod
    def of(cls, query: Mapping[str, str], wheres: list[str]) -> Self:
        """The filter in a query.

        Raises:
            UsageError: A part of it is none.
        """
        names = ("reason", "type", "error", "text", "group")
        return cls(**{name: query.get(name, "") for name in names}, where=tuple(wheres))

    def wheres(self) -> tuple[Where, ...]:
        """The paths and values, read. Raises: as `of`."""
        return tuple(map(Where.parse, self.where))

    @property
    def looks_inside(self) -> bool:
        """Whether the failures themselves have to be looked into."""
        return bool(self.text or self.where)


class Inside:
    """Looks into failures as they are kept.

    Args:
        wanted: What is wanted.
    """

    def __init__(self, wanted: FailureFilter) -> None:
        self._text = wanted.text.lower()
        # As it stands in text that is written as JSON; in the data it is sought as it is.
        self._written = encode(self._text)[1:-1].decode().lower()
        self._wheres = wanted.wheres()

    def fits(self, written: bytes) -> bool:
        """Whether this failure, as JSON, is wanted."""
        if self._text:
            text = written.decode().lower()
            if self._written not in text and self._text not in text:
                return False  # without decoding it
        found = decode(written)
        if not all(where.fits(found) for where in self._wheres):
            return False
        return not self._text or any(self._text in part.lower() for part in _parts(found))


def _parts(found: Failure) -> Iterator[str]:
    yield from (found.task_id, found.type, found.reason, found.error, found.message)
    for attempt in found.history:
        yield from (attempt.error, attempt.message, attempt.traceback, attempt.output)
    data = found.task.get("data") if isinstance(found.task, dict) else found.task
    yield encode(data).decode()
