"""Everything that is measured, by the name that ONLY takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.scenarios import (
    beside,
    cost,
    embedded,
    large,
    latency,
    load,
    race,
    retries,
    scale,
    slots,
    start,
    tail,
    urgent,
    window,
)

if TYPE_CHECKING:
    from benchmarks.scenario import Scenario

SCENARIOS: dict[str, Scenario] = {
    "race": race.SCENARIO,
    "latency": latency.SCENARIO,
    "load": load.SCENARIO,
    "cost": cost.SCENARIO,
    "large": large.SCENARIO,
    "embedded": embedded.SCENARIO,
    "beside": beside.SCENARIO,
    "slots": slots.SCENARIO,
    "tail": tail.SCENARIO,
    "urgent": urgent.SCENARIO,
    "retries": retries.SCENARIO,
    "start": start.SCENARIO,
    "window": window.SCENARIO,
    "scale": scale.SCENARIO,
}
