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
