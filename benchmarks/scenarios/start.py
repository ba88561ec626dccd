"""How long one waits for a worker's first task, and for help; the median of several, since the machine does other things, too."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.scenario import Figure, Scenario, Target
from benchmarks.stage import WARRENER

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.stage import Place, Ran

_TIMES = 7
_QUIET_AFTER = 2.0  # seconds for which a broker goes on with a virtual host that was made just now


def started(*command: str) -> Callable[[Place], dict[str, float]]:
    """What a command takes as a whole."""

    def run(place: Place) -> dict[str, float]:
        time.sleep(_QUIET_AFTER)
        return medians(
            [
                place.run(*(place.python if word == "python" else word for word in command))
                for _ in range(_TIMES)
            ]
        )

    return run


def medians(ran: list[Ran]) -> dict[str, float]:
    return {"wait": median(one.seconds for one in ran), "CPU": median(one.cpu for one in ran)}


def first_task(*words: str, is_published: bool, is_embedded: bool) -> Callable[[Place], dict[str, float]]:
    """From the start of a command to its first task's end; and the CPU that the whole command takes."""

    def run(place: Place) -> dict[str, float]:
        if is_embedded:
            place.use_embedded()
        place.warrener("setup")
        time.sleep(_QUIET_AFTER)
        waits, ran = [], []
        for n in range(_TIMES):
            place.new_marks()
            tasks = place.write_tasks([b'{"id":"%d","type":"noop","data":{"n":"x"}}' % n])
            if is_published:
                place.warrener("publish", tasks)
            start = time.time()
            files = () if is_published else (tasks,)
            ran.append(place.warrener(words[0], place.app("noop"), *files, *words[1:], "--processes", "2"))
            waits.append(place.await_marks(1).first - start)
        return medians(ran) | {"wait": median(waits)}

    return run


_FIRST_TASKS = {
    f"warrener {verb}, {on}": first_task(
        verb, *words, is_published=verb == "work", is_embedded=on == "embedded"
    )
    for on in ("RabbitMQ", "embedded")
    for verb, *words in (("work", "--drain"), ("run", "--share"))
}

SCENARIO = Scenario(
    title="The wait for a worker's first task, and for help",
    figures=(Figure("wait", "s"), Figure("CPU", "s", is_compared=False)),
    contestants={
        "python -c pass": started("python", "-c", "pass"),
        "warrener --help": started(*WARRENER, "--help"),
        **_FIRST_TASKS,
    },
    tasks=1,
    yardstick="python -c pass",
    targets=(
        Target("warrener --help", "wait", 0.12, at_most=True),
        *(Target(name, "wait", 0.35, at_most=True) for name in _FIRST_TASKS),
    ),
)
