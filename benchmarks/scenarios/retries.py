"""A storm of retries: every task fails once and comes back after its delay of a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.scenario import Figure, Scenario, Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.stage import Place

PLAIN, STORM = "no task fails", "each task fails once"


def storm(*, fails: bool) -> Callable[[Place], dict[str, float]]:
    def run(place: Place) -> dict[str, float]:
        tried = place.directory / "tried"
        tried.write_bytes(bytes(place.tasks) if fails else b"\1" * place.tasks)
        place.environment["BENCH_TRIED"] = str(tried)
        place.module("warrener")
        place.begin_worker("flaky", "--processes", "2")
        seen = place.await_marks(place.tasks * (1 + fails))
        return {"attempts": seen.tasks / seen.seconds, "tasks": place.tasks / seen.seconds}

    return run


SCENARIO = Scenario(
    title="Retries, on RabbitMQ",
    figures=(Figure("attempts"), Figure("tasks")),
    contestants={PLAIN: storm(fails=False), STORM: storm(fails=True)},
    tasks=40_000,
    yardstick=PLAIN,
    targets=(Target(STORM, "tasks", 0.35, per=PLAIN),),
)
