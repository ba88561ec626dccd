"""Warrener's embedded broker and Huey on SQLite: enqueue, then drain with two processes, results kept."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from benchmarks.scenario import Figure, Scenario, Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.stage import Place


def warrener(place: Place) -> dict[str, float]:
    place.use_embedded()
    seconds = place.module("warrener")
    worker = place.begin_worker("noop", "--processes", "2")
    seen = place.await_marks(place.tasks)
    place.stop(worker)
    place.warrener("results", "-o", "results.jsonl")
    for _ in place.rows():
        pass  # as many as there are tasks, or it raises
    return {"enqueue": place.tasks / seconds, "drain": seen.tasks / seen.seconds}


def huey(fsync: str) -> Callable[[Place], dict[str, float]]:
    def run(place: Place) -> dict[str, float]:
        place.environment["BENCH_FSYNC"] = fsync
        seconds = place.module("huey", python=place.peers / "bin" / "python")
        consumer = [str(place.peers / "bin" / "huey_consumer"), "benchmarks.peers.huey.huey"]
        worker = place.begin(*consumer, "--workers", "2", "--worker-type", "process", "--quiet")
        seen = place.await_marks(place.tasks)
        place.stop(worker, signal.SIGINT)
        return {"enqueue": place.tasks / seconds, "drain": seen.tasks / seen.seconds}

    return run


SCENARIO = Scenario(
    title="Tasks that do nothing, on SQLite, two worker processes, results kept",
    figures=(Figure("enqueue"), Figure("drain")),
    contestants={"Warrener": warrener, "Huey, with fsync": huey("1"), "Huey, without fsync": huey("0")},
    tasks=20_000,
    yardstick="Warrener",
    targets=tuple(
        Target("Warrener", figure, bound, per=f"Huey, {how} fsync")
        for how, bound in (("with", 3), ("without", 1))
        for figure in ("enqueue", "drain")
    ),
    has_peers=True,
)
