"""A hundredth, a tenth, all of the tasks: rates stay, and memory does. `make bench ONLY=scale TASKS=1000000` has a million."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from benchmarks import marks
from benchmarks.scenario import Figure, Scenario, Target
from benchmarks.stage import WARRENER

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.stage import Place


def commands(part: int, *, is_embedded: bool) -> Callable[[Place], dict[str, float]]:
    """The commands as a user runs them, Python's start included, but for drain, which is from task to task."""

    def run(place: Place) -> dict[str, float]:
        place.tasks = math.ceil(place.tasks / part)
        if is_embedded:
            place.use_embedded()
        published = place.warrener("publish", place.write_tasks())
        waiting = place.warrener("status", "--json")
        words = [*WARRENER, "work", place.app("noop"), "--drain", "--processes", "2"]
        worked = place.run(*words)
        seen = marks.seen(place.marks)
        collected = place.warrener("results", "-o", "results.jsonl")
        for _ in place.rows():
            pass  # as many as there are tasks, or it raises
        return {
            "publish": place.tasks / published.seconds,
            "publish MiB": published.memory,
            "status": waiting.seconds,
            "status MiB": waiting.memory,
            "drain": seen.tasks / seen.seconds,
            "work MiB": worked.memory,
            "results": place.tasks / collected.seconds,
            "results MiB": collected.memory,
        }

    return run


SCENARIO = Scenario(
    title="Commands as a user runs them, by how many tasks there are",
    figures=(
        *(Figure("publish", is_compared=False), Figure("publish MiB", "MiB", is_compared=False)),
        *(Figure("status", "s", is_compared=False), Figure("status MiB", "MiB", is_compared=False)),
        *(Figure("drain", is_compared=False), Figure("work MiB", "MiB", is_compared=False)),
        *(Figure("results", is_compared=False), Figure("results MiB", "MiB", is_compared=False)),
    ),
    contestants={
        f"{where}, {share}": commands(part, is_embedded=where == "embedded")
        for where in ("RabbitMQ", "embedded")
        for part, share in ((100, "1 %"), (10, "10 %"), (1, "all"))
    },
    tasks=300_000,
    targets=tuple(
        target
        for where in ("RabbitMQ", "embedded")
        for target in (
            *(
                Target(f"{where}, all", f"{verb} MiB", 100, at_most=True)
                for verb in ("publish", "status", "results")
            ),
            Target(f"{where}, all", "results", 150_000),
            *(
                Target(f"{where}, all", verb, 0.9, per=f"{where}, 1 %")
                for verb in ("publish", "drain", "results")
            ),
        )
    ),
    rounds=1,
)
