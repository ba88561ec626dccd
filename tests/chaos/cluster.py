"""Nodes of a RabbitMQ cluster die, or lose each other."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from tests.batch import eventually
from tests.chaos.fault import CLUSTER, Fault, batch, cuts, under_load
from tests.chaos.nodes import NET_TICKTIME

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tests.chaos.trial import Trial

_ON: Final = (CLUSTER,)
_COSTS: Final = cuts(6)


async def _kill_leader(trial: Trial) -> None:
    node = trial.cluster.nodes[await _leader(trial)]
    await asyncio.to_thread(node.kill)
    await _has_another_leader(trial)
    await asyncio.to_thread(node.start)


async def _kill_node_of_clients(trial: Trial) -> None:
    node = trial.cluster.nodes[0]
    await asyncio.to_thread(node.kill)
    await asyncio.to_thread(node.start)


async def _restart_in_turn(trial: Trial) -> None:
    for node in trial.cluster.nodes:
        await asyncio.to_thread(node.stop)
        await asyncio.to_thread(node.start)


async def _kill_all(trial: Trial) -> None:
    await asyncio.to_thread(trial.cluster.kill)
    await asyncio.to_thread(trial.cluster.start)


async def _part(trial: Trial, *, is_leader: bool) -> None:
    """Until the nodes hold each other for dead, which takes them over a minute."""
    leader = await _leader(trial)
    lone = leader if is_leader else (leader + 1) % len(trial.cluster.nodes)
    seen_by = (lone + 1) % len(trial.cluster.nodes)
    trial.cluster.partition(lone)
    try:
        await _sees(trial, seen_by, len(trial.cluster.nodes) - 1)
    finally:
        trial.cluster.heal()
    await _sees(trial, seen_by, len(trial.cluster.nodes))


async def _sees(trial: Trial, seen_by: int, count: int) -> None:
    async def are_seen() -> bool:
        with suppress(OSError, LookupError):
            return len(await asyncio.to_thread(trial.cluster.running, seen_by=seen_by)) == count
        return False

    await eventually(are_seen, 3 * NET_TICKTIME)


async def _leader(trial: Trial) -> int:
    return await asyncio.to_thread(trial.cluster.leader, trial.address.queue)


async def _has_another_leader(trial: Trial) -> None:
    async def has_one() -> bool:
        with suppress(OSError, LookupError):
            return trial.cluster.nodes[await _leader(trial)].is_running
        return False

    await eventually(has_one)


def _lasting(seconds: float, count: int) -> Callable[[], list[dict[str, Any]]]:
    """The usual batch, of tasks that take so long: enough to do for as long as it takes to break something."""
    return lambda: [
        task | {"data": task["data"] | {"seconds": seconds}} if task["type"] == "square" else task
        for task in batch(count)
    ]


_KILLED: Final = _lasting(0.05, 2000)
_CUT_OFF: Final = _lasting(0.3, 1200)  # nodes take a minute to miss each other


FAULTS: Final = [
    Fault("leader's node killed and started", under_load(_kill_leader, 2), _ON, costs=_COSTS, tasks=_KILLED),
    Fault(
        "clients' node killed and started",
        under_load(_kill_node_of_clients, 2),
        _ON,
        costs=_COSTS,
        tasks=_KILLED,
    ),
    Fault("nodes restarted in turn", under_load(_restart_in_turn, 1), _ON, costs=_COSTS, tasks=_KILLED),
    Fault("all nodes killed and started", under_load(_kill_all, 1), _ON, costs=_COSTS, tasks=_KILLED),
    Fault(
        "leader's node cut off",
        under_load(partial(_part, is_leader=True), 1),
        _ON,
        costs=_COSTS,
        tasks=_CUT_OFF,
    ),
    Fault(
        "another node cut off",
        under_load(partial(_part, is_leader=False), 1),
        _ON,
        costs=_COSTS,
        tasks=_CUT_OFF,
    ),
]
