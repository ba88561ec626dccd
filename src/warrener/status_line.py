"""A look at a queue, as people read it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warrener.monitor import Status


def status_line(status: Status) -> str:
    """A look at a queue in one line."""
    counts = status.counts
    parts = [
        f"{status.done:,}/{status.total:,}",
        percent(status),
        f"{rate(status.rate)}",
        f"ETA {eta(status)}",
        f"ready {counts.ready:,}",
        f"processing {_number(counts.processing)}",
        f"delayed {_number(counts.delayed)}",
        f"completed {counts.completed:,}",
        f"failed {counts.failed:,}",
    ]
    if status.cancelled:
        parts.append(f"cancelled {status.cancelled:,}")
    return " | ".join(parts)


def percent(status: Status) -> str:
    """The progress; 100% only when all is done, and no number while nobody knows how many there are."""
    if status.progress is None:
        return "more may come"
    return f"{math.floor(status.progress * 100)}%"


def rate(value: float | None) -> str:
    """Tasks per second."""
    if value is None:
        return "rate unknown"
    return f"{value:,.0f}/s" if value >= 10 else f"{value:.2g}/s"  # noqa: PLR2004 - below ten, decimals matter


def eta(status: Status) -> str:
    """How long it will take: a time, a range where the rate wavers, or unknown."""
    if status.eta is None:
        return "unknown"
    soonest, latest = status.eta
    if latest - soonest < 0.2 * latest or latest < 2:  # noqa: PLR2004 - too close to tell apart
        return span(latest)
    return f"{span(soonest)} to {span(latest)}"


def span(seconds: float) -> str:
    """A length of time for people."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def took(seconds: float) -> str:
    """How long a task took, for people."""
    if seconds >= 60:  # noqa: PLR2004 - a minute
        return span(seconds)
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"


def _number(value: int | None) -> str:
    return "unknown" if value is None else f"{value:,}"
