"""When a batch goes so wrong that it is paused."""

from __future__ import annotations

import re
from typing import Final, Self

import msgspec

from warrener.errors import UsageError, WarrenerError

_ENOUGH: Final = 20
"""Tasks that must have ended before a share of them says anything."""


class LimitExceeded(WarrenerError):  # noqa: N818 - reads as what it is
    """More tasks failed than may; the batch is paused, and its workers wait."""


class FailureLimit(msgspec.Struct, frozen=True):
    """How many tasks may fail.

    Args:
        most: So many, or so many of a hundred.
        is_percent: Which of the two.
    """

    most: float
    is_percent: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `10` or `2.5%`.

        Raises:
            UsageError: It is neither.
        """
        found = re.fullmatch(r"(\d{1,15})|(\d{1,3}(?:\.\d{1,6})?)%", text, re.ASCII)
        if found is None or (found[2] and float(found[2]) >= 100):  # noqa: PLR2004 - per cent
            raise UsageError(
                f"{text!r} is no number of failures: write 10, or 5% for a share below 100% of what has ended"
            )
        return cls(float(found[1] or found[2]), is_percent=found[2] is not None)

    def is_exceeded(self, failed: int, ended: int) -> bool:
        """Whether so many have failed.

        Args:
            failed: How many have.
            ended: How many have ended, these among them.
        """
        if self.is_percent:
            return ended >= _ENOUGH and failed * 100 > self.most * ended
        return failed > self.most

    def told(self, failed: int, ended: int) -> str:
        """What was exceeded, in words."""
        if self.is_percent:
            return f"more than {self.most:g}% of the tasks failed ({failed:,} of {ended:,})"
        return f"more than {self.most:,.0f} task{'' if self.most == 1 else 's'} failed ({failed:,})"


class FailureAlarm:
    """Counts what ends with one worker, as it ends, and tells when more may have failed than may.

    Some of it may be no task of the batch, and others end elsewhere: whoever is told looks, and says what it was (`correct`).

    Args:
        limit: How many may.
    """

    def __init__(self, limit: FailureLimit) -> None:
        self._limit = limit
        self._failed = self._ended = 0
        # Failed and ended here, but none of the batch's; less than nothing where others ended elsewhere.
        self._beside = 0, 0

    def add(self, *, has_failed: bool) -> bool:
        """One more has ended; whether too many may have failed by now."""
        self._ended += 1
        if not has_failed:
            return False
        self._failed += 1
        failed, ended = self._beside
        return self._limit.is_exceeded(self._failed - failed, self._ended - ended)

    @property
    def counted(self) -> tuple[int, int]:
        """How many have failed here, and how many have ended."""
        return self._failed, self._ended

    def correct(self, counted: tuple[int, int], known: tuple[int, int]) -> None:
        """Take in how many of the batch had failed and ended, here and elsewhere.

        Args:
            counted: What was counted here at that moment.
            known: What is known of it.
        """
        self._beside = counted[0] - known[0], counted[1] - known[1]
