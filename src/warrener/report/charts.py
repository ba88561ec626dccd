"""Charts as SVG of one path a series, drawn here: the report needs no script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warrener.report.markup import Markup, element, joined
from warrener.status_line import rate, took
from warrener.text import utc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warrener.history import Durations

_UP: Final = 140
_DOWN: Final = 50
_HISTOGRAM: Final = 24


def timeline(begin: float, step: float, completed: Sequence[int], failed: Sequence[int]) -> Markup | None:
    """How many tasks completed, upwards, and failed, downwards, in each bin of time; each on a scale of its own."""
    if not completed:
        return None
    height = _UP + (_DOWN if any(failed) else 0)
    up = _bars(completed, _UP, -_UP)
    down = _bars(failed, _UP, _DOWN) if any(failed) else None
    shapes = [element("path", class_="completed", d=up)]
    if down:
        shapes.append(element("path", class_="failed", d=down))
    shapes.append(element("path", class_="axis", d=f"M0 {_UP}h{len(completed)}"))
    label = f"Tasks that ended in each {took(step)}: {sum(completed):,} completed, {sum(failed):,} failed"
    svg = element(
        "svg",
        joined(*shapes),
        viewBox=f"0 0 {len(completed)} {height}",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
        class_="timeline" if down else "timeline is-up",
    )
    above = element("p", f"completed, at most {rate(max(completed) / step)}", class_="completed-text")
    below = (
        element("p", f"failed, at most {rate(max(failed) / step)}", class_="failed-text") if down else None
    )
    end = begin + step * len(completed)
    times = element("p", element("span", utc(begin)), element("span", utc(end)), class_="ends soft")
    return joined(above, svg, below, times)


def histogram(durations: Durations) -> Markup:
    """How many tasks took how long, on a logarithmic scale from the shortest to the longest."""
    counts = [count for _, count in durations.bars()]
    if not counts:
        return Markup()
    label = f"{took(durations.quantile(0) or 0)} to {took(durations.longest)}"
    if len(counts) == 1:
        return element("span", took(durations.longest), class_="soft small")
    svg = element(
        "svg",
        element("path", class_="completed", d=_bars(counts, _HISTOGRAM, -_HISTOGRAM)),
        viewBox=f"0 0 {len(counts)} {_HISTOGRAM}",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
        class_="histogram",
    )
    return joined(svg, element("span", label, class_="soft small"))


def _bars(counts: Sequence[int], base: int, height: int) -> str:
    """Bars a unit wide from a base line; the highest has all of the height, and none that is there is less than a unit."""
    most = max(counts)
    parts = []
    for number, count in enumerate(counts):
        if count:
            size = max(1.0, abs(height) * count / most) * (1 if height > 0 else -1)
            parts.append(f"M{number} {base}v{size:.3g}h1V{base}z")
    return "".join(parts)
