"""The history of a queue, as far as it was read: what its rows and its failures tell together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import asdict

from warrener.history.completed import OTHERS, Completed
from warrener.history.completed import OfType as CompletedOfType
from warrener.history.durations import Durations
from warrener.history.failed import Failed
from warrener.history.failed import OfType as FailedOfType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warrener.history.slowest import Slow

_SHOWN_WORKERS: Final = 200
_SHOWN_TYPES: Final = 200
_DIGITS: Final = 6  # of seconds: rows have them to the microsecond


class History:
    """What has happened on a queue since its beginning. Its numbers are those of `warrener results` and `failures list`.

    Args:
        completed: What the rows tell.
        failed: What the failures tell.
    """

    def __init__(self, completed: Completed | None = None, failed: Failed | None = None) -> None:
        self.completed = completed or Completed()
        self.failed = failed or Failed(self.completed.places)
        self.expected = 0
        """How many rows and failures there are to be read, as far as the broker counts them."""
        self.is_complete = False
        """Whether all that there was at some moment has been read."""

    @property
    def read(self) -> int:
        """How many rows and failures were read."""
        return self.completed.read + self.failed.read

    @property
    def begin(self) -> float | None:
        """When the first attempt began, in seconds since the epoch; None while none is known."""
        begin = min(self.completed.begin, self.failed.begin)
        return begin if begin < float("inf") else None

    @property
    def end(self) -> float | None:
        """When the last task ended, in seconds since the epoch; None while none is known."""
        return max(self.completed.end, self.failed.end) or None

    @property
    def slowest(self) -> list[Slow]:
        """The tasks that took longest, the longest first."""
        return self.completed.slowest.longest_first()

    @property
    def types(self) -> Iterator[tuple[str, CompletedOfType, FailedOfType]]:
        """What became of the tasks of each type, by name; the last one, without a name, is of those that are too many."""
        no_row, no_failure = CompletedOfType(Durations()), FailedOfType()
        for name in sorted(
            {*self.completed.types, *self.failed.types}, key=lambda name: (name == OTHERS, name)
        ):
            yield name, self.completed.types.get(name, no_row), self.failed.types.get(name, no_failure)

    def members(self) -> dict[str, Any]:
        """All of it as JSON has it, of bounded size: at most 600 bins of time, 200 types and 200 workers."""
        rows = self.completed
        begin, (completed, failed) = (timeline := rows.timeline.merged(self.failed.timeline)).counts()
        workers = sorted(rows.workers.items(), key=lambda told: -told[1].completed)
        return {
            "read": self.read,
            "expected": max(self.expected, self.read),
            "is_complete": self.is_complete,
            "completed": rows.count,
            "failed": self.failed.count,
            "by_reason": self.failed.by_reason,
            "duplicates": rows.left_out.duplicates,
            "superseded": rows.left_out.superseded,
            "strange": rows.left_out.strange,
            "begin": self.begin,
            "end": self.end,
            "timeline": {"begin": begin, "step": timeline.step, "completed": completed, "failed": failed},
            "types": [_type_members(*told) for told in self.types][:_SHOWN_TYPES],
            "slowest": [asdict(slow) for slow in self.slowest],
            "workers": [
                {"worker": name, "completed": told.completed, "seconds": round(told.seconds, _DIGITS)}
                for name, told in workers[:_SHOWN_WORKERS]
            ],
            "workers_omitted": max(0, len(workers) - _SHOWN_WORKERS),
        }


def _type_members(name: str, completed: CompletedOfType, failed: FailedOfType) -> dict[str, Any]:
    took = completed.durations
    return {
        "type": name,
        "completed": completed.completed,
        "failed": failed.failed,
        "retries": completed.retries + failed.retries,
        **{f"p{percent}": _rounded(took.quantile(percent / 100)) for percent in (50, 95, 99)},
        "max": _rounded(took.longest) if took.count else None,
        "seconds": _rounded(took.seconds),
        "histogram": took.bars(),
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, _DIGITS)
