"""What a scenario is: contestants that do the same, and what is measured of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from benchmarks.stage import Place

Values = Mapping[str, Mapping[str, list[float]]]
"""Raw figures: contestant, figure, one value per round."""


class Figure(msgspec.Struct, frozen=True):
    """One thing that is measured.

    Args:
        name: Its name, unique in the scenario.
        unit: `/s`, `s`, `ms`, `us`, `MiB`, `MiB/s`, `%`, `x`, or none for a number.
        is_compared: Whether its ratio to the yardstick is shown.
    """

    name: str
    unit: Literal["/s", "s", "ms", "us", "MiB", "MiB/s", "%", "x", ""] = "/s"
    is_compared: bool = True


class Target(msgspec.Struct, frozen=True):
    """What one figure is wanted to be, absolute or as a multiple of another contestant's.

    Args:
        contestant: Whose figure.
        figure: Which.
        bound: The limit.
        at_most: Whether it is the highest allowed, not the lowest.
        per: The contestant whose same figure is the unit.
    """

    contestant: str
    figure: str
    bound: float
    at_most: bool = False
    per: str = ""

    def judge(self, values: Values) -> tuple[bool, float] | None:
        """Whether it is held, by the medians, and the value; None where one of the two did not run."""
        ours = values.get(self.contestant, {}).get(self.figure)
        theirs = values.get(self.per, {}).get(self.figure) if self.per else [1.0]
        if not ours or not theirs:
            return None
        value = median(ours) / median(theirs)
        return (value <= self.bound if self.at_most else value >= self.bound), value


class Scenario(msgspec.Struct, frozen=True):
    """One table.

    Args:
        title: What it is about.
        figures: What is measured.
        contestants: By name, what runs one and gives its figures.
        tasks: How many tasks, unless asked otherwise.
        yardstick: The contestant that the others are compared with.
        targets: What is wanted.
        has_peers: Whether the peers' environment is needed.
        rounds: How many rounds at most, where one takes long.
    """

    title: str
    figures: tuple[Figure, ...]
    contestants: dict[str, Callable[[Place], dict[str, float]]]
    tasks: int
    yardstick: str = ""
    targets: tuple[Target, ...] = ()
    has_peers: bool = False
    rounds: int = 100


class Measured(msgspec.Struct):
    """A scenario's outcome as it is kept in a file."""

    name: str
    title: str
    tasks: int
    load: tuple[float, float]  # of the machine, over a minute, before and after
    figures: tuple[Figure, ...]
    yardstick: str
    targets: tuple[Target, ...]
    values: dict[str, dict[str, list[float]]]
    broken: dict[str, str] = {}


class Report(msgspec.Struct):
    """A whole run."""

    command: str
    date: str
    machine: str
    versions: dict[str, str]
    scenarios: list[Measured] = []
