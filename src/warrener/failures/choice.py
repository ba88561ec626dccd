"""Which failures are meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

import msgspec

from warrener.codec import NOT_JSON
from warrener.errors import UsageError

if TYPE_CHECKING:
    from warrener.models import Failure

_ROOTS: Final = ("data", "id", "type", "priority", "origin")
# A step of a path: a name after a dot, `[0]`, or `["a name with dots"]`.
_STEP: Final = re.compile(r'\.?([^.\[\]="]+)|\[(\d+)\]|\["([^"]*)"\]')
_ABSENT: Final = object()


class Where(msgspec.Struct, frozen=True):
    """A member of the task as published, and the value it must have.

    Args:
        steps: The names and indexes that lead to it.
        text: The value as text.
        value: The value where the text is JSON.
    """

    steps: tuple[str, ...]
    text: str
    value: Any = _ABSENT

    @classmethod
    def parse(cls, words: str) -> Self:
        """Read `data.region=eu`, `data.files[0]=a.jpg`, `data["a.b"]=true`.

        Raises:
            UsageError: It is no path and value.
        """
        steps, end = [], 0
        while (step := _STEP.match(words, end)) and (end or not words.startswith((".", "["))):
            steps.append(next(part for part in step.groups() if part is not None))
            end = step.end()
        if not steps or words[end : end + 1] != "=":
            raise UsageError(
                f'{words!r} is no PATH=VALUE: write data.region=eu, data.files[0]=a.jpg or data["a.b"]=1'
            )
        if steps[0] not in _ROOTS:
            raise UsageError(f"a path begins with {', '.join(_ROOTS)}, not {steps[0]!r}: write data.{words}")
        text = words[end + 1 :]
        try:
            return cls(tuple(steps), text, msgspec.json.decode(text))
        except NOT_JSON:
            return cls(tuple(steps), text)

    def fits(self, found: Failure) -> bool:
        """Whether this task has this value there, as text or as JSON."""
        value = found.task
        for step in self.steps:
            value = _member(value, step)
        if value is _ABSENT or value == self.text:
            return value is not _ABSENT
        # Python takes true for 1, which JSON does not.
        return isinstance(value, bool) is isinstance(self.value, bool) and bool(value == self.value)


class Chooser(Protocol):
    """Whoever says which failures are meant."""

    @property
    def ids(self) -> frozenset[str]:
        """Ids of which it is to be told whether they were there."""

    def fits(self, found: Failure) -> bool:
        """Whether this failure is meant."""


class Choice(msgspec.Struct, frozen=True):
    """Which failures are meant: those that fit every given part; none given means all.

    Args:
        ids: Task ids.
        reason: As in `Failure.reason`.
        error: As in `Failure.error`.
        where: What the task as published must say.
        error_match: What must be found in the last attempt's message or traceback (`compiled`).
    """

    ids: frozenset[str] = frozenset()
    reason: str | None = None
    error: str | None = None
    where: tuple[Where, ...] = ()
    error_match: re.Pattern[str] | None = None

    def fits(self, found: Failure) -> bool:
        """Whether this failure is meant."""
        return (
            (not self.ids or found.task_id in self.ids)
            and (self.reason is None or found.reason == self.reason)
            and (self.error is None or found.error == self.error)
            and all(where.fits(found) for where in self.where)
            and (self.error_match is None or _says(found, self.error_match))
        )


def compiled(pattern: str) -> re.Pattern[str]:
    """A regular expression, as Python's `re` has them.

    Raises:
        UsageError: It is none.
    """
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"{pattern!r} is no regular expression: {error}") from error


def _member(value: Any, step: str) -> Any:
    if isinstance(value, dict):
        return value.get(step, _ABSENT)
    if isinstance(value, list) and step.isdecimal() and step.isascii() and int(step[:9]) < len(value):
        return value[int(step[:9])]
    return _ABSENT


def _says(found: Failure, pattern: re.Pattern[str]) -> bool:
    traceback = found.history[-1].traceback if found.history else ""
    return bool(pattern.search(found.message) or pattern.search(traceback))
