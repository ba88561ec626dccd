"""Where the processors' time goes: microseconds for each task, in the broker, the supervisor and its children."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.contestants import PEERS
from benchmarks.processor import cpu_seconds, descendants
from benchmarks.scenario import Figure, Scenario, Target

if TYPE_CHECKING:
    import subprocess

    from benchmarks.stage import Place

_WARM = 20  # one of so many tasks has run before anything is counted

OURS, THEIRS = "Warrener", "Dramatiq, 1 thread"


def warrener(place: Place) -> dict[str, float]:
    place.module("warrener")
    return spent(place, place.begin_worker("noop", "--processes", "2"))


def dramatiq(place: Place) -> dict[str, float]:
    peer = PEERS[THEIRS]
    place.environment |= peer.environment
    place.module(peer.module, python=place.peers / "bin" / "python")
    return spent(place, peer.begin(place))


def spent(place: Place, worker: subprocess.Popen[bytes]) -> dict[str, float]:
    before = place.await_marks(place.tasks // _WARM).tasks
    start = now(place, worker.pid)
    after = place.await_marks(place.tasks).tasks
    figures = {
        name: 1e6 * (seconds - start[name]) / (after - before)
        for name, seconds in now(place, worker.pid).items()
    }
    return {**figures, "all": sum(figures.values())}


def now(place: Place, worker: int) -> dict[str, float]:
    return {
        "broker": cpu_seconds(place.broker_pid),
        "supervisor": cpu_seconds(worker),
        "children": sum(cpu_seconds(pid) for pid in descendants(worker)),
    }


SCENARIO = Scenario(
    title="CPU for each task that does nothing, on RabbitMQ, two worker processes",
    figures=tuple(
        Figure(name, "us", is_compared=False) for name in ("broker", "supervisor", "children", "all")
    ),
    contestants={OURS: warrener, THEIRS: dramatiq},
    tasks=50_000,
    targets=tuple(
        Target(OURS, name, bound, at_most=True)
        for name, bound in (("broker", 40), ("supervisor", 35), ("children", 20))
    ),
    has_peers=True,
)
