"""Two workers of one child beside each other are no slower than one worker with two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.scenario import Figure, Scenario, Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.stage import Place

ONE, TWO = "one worker, two children", "two workers, a child each"


def workers(count: int, processes: str) -> Callable[[Place], dict[str, float]]:
    def run(place: Place) -> dict[str, float]:
        place.module("warrener")
        running = [place.begin_worker("noop", "--processes", processes) for _ in range(count)]
        seen = place.await_marks(place.tasks)
        for worker in running:
            place.stop(worker)
        return {"drain": seen.tasks / seen.seconds}

    return run


SCENARIO = Scenario(
    title="Workers beside each other, on RabbitMQ",
    figures=(Figure("drain"),),
    contestants={ONE: workers(1, "2"), TWO: workers(2, "1")},
    tasks=50_000,
    yardstick=ONE,
    targets=(Target(TWO, "drain", 1, per=ONE),),
)
