"""How long one waits for a worker's first task, and for help."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks.scenario import Figure, Scenario, Target

if TYPE_CHECKING:
    from benchmarks.stage import Place


def on_rabbitmq(place: Place) -> dict[str, float]:
    place.warrener("publish", place.write_tasks())
    start = time.time()
    place.begin_worker("noop", "--processes", "2")
    return {"wait": place.await_marks(1).first - start}


def on_embedded(place: Place) -> dict[str, float]:
    place.use_embedded()
    return on_rabbitmq(place)


def help_(place: Place) -> dict[str, float]:
    return {"wait": place.warrener("--help").seconds}


def python(place: Place) -> dict[str, float]:
    return {"wait": place.run(place.python, "-c", "pass").seconds}


SCENARIO = Scenario(
    title="The wait for a worker's first task, and for help",
    figures=(Figure("wait", "s"),),
    contestants={
        "python -c pass": python,
        "warrener --help": help_,
        "warrener work, RabbitMQ": on_rabbitmq,
        "warrener work, embedded": on_embedded,
    },
    tasks=1,
    yardstick="python -c pass",
    targets=(
        Target("warrener --help", "wait", 0.15, at_most=True),
        *(Target(f"warrener work, {on}", "wait", 0.5, at_most=True) for on in ("RabbitMQ", "embedded")),
    ),
)
