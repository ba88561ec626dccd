"""Everything that is measured, by the name that ONLY takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.scenarios import beside, embedded, race, retries, scale, slots, start, tail, urgent

if TYPE_CHECKING:
    from benchmarks.scenario import Scenario

SCENARIOS: dict[str, Scenario] = {
    "race": race.SCENARIO,
    "embedded": embedded.SCENARIO,
    "beside": beside.SCENARIO,
    "slots": slots.SCENARIO,
    "tail": tail.SCENARIO,
    "urgent": urgent.SCENARIO,
    "retries": retries.SCENARIO,
    "start": start.SCENARIO,
    "scale": scale.SCENARIO,
}
