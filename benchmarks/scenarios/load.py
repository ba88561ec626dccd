"""How long a task takes from when it was due to its end, at the same loads for all, and after the same burst.

Otherwise as `latency`, where each one's load is a share of what it can do. Whoever cannot do so much falls behind, and shows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.scenario import Figure, Scenario, Target
from benchmarks.scenarios.latency import (
    BURST_LASTS,
    OURS,
    THEIRS,
    Enqueuing,
    contestants,
    latencies,
    recovery,
    schedule,
)

if TYPE_CHECKING:
    from benchmarks.stage import Place

LOADS = (100, 400, 1_600)
_PERCENTILES = (50, 99)
_BURST = 4_000  # tasks that come at once, on top of the second load


def measured(place: Place, enqueuing: Enqueuing) -> dict[str, float]:
    figures: dict[str, float] = {}
    for load in LOADS:
        cuts = latencies(place, enqueuing, load)
        figures |= {percentile(p, load): cuts[p - 1] for p in _PERCENTILES}
    return figures | {"burst": recovery(schedule(place, enqueuing, LOADS[1], BURST_LASTS, _BURST))}


def percentile(number: int, load: int) -> str:
    return f"p{number} at {load:,}/s"


_LATENCIES = tuple(percentile(p, load) for load in LOADS for p in _PERCENTILES)

SCENARIO = Scenario(
    title="From when a task is due to its end, at the same loads, on RabbitMQ",
    figures=(
        *(Figure(name, "ms", is_compared=False) for name in _LATENCIES),
        Figure("burst", "s", is_compared=False),
    ),
    contestants=contestants(measured),
    tasks=1,
    targets=tuple(
        Target(OURS, name, 1, at_most=True, per=other) for other in THEIRS for name in (*_LATENCIES, "burst")
    ),
    has_peers=True,
    rounds=3,
)
