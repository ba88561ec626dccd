"""The wire between workers and RabbitMQ is cut at every stage of settling a task, or goes dead."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from tests.chaos.arenas import HEARTBEAT
from tests.chaos.fault import CLUSTER, RABBITMQ, Fault, cuts, under_load
from tests.chaos.proxy import Stage

if TYPE_CHECKING:
    from tests.chaos.trial import Trial

_ON: Final = (RABBITMQ, CLUSTER)
_TIMES: Final = 4
_STAGES: Final = {
    Stage.BEFORE_PUBLISH: "before an outcome is published",
    Stage.MID_PUBLISH: "in the middle of an outcome",
    Stage.BEFORE_CONFIRM: "between an outcome and its confirm",
    Stage.BEFORE_ACK: "between confirm and ack",
    Stage.MID_ACK: "in the middle of an ack",
    Stage.AFTER_ACK: "after an ack",
}


async def _cut(trial: Trial, *, stage: Stage) -> None:
    # Not a later one: so few may be left by then that it never comes.
    await trial.proxy.cut_at(stage, skip=trial.chance.randrange(30))


async def _cut_all(trial: Trial) -> None:
    trial.proxy.cut_all()


async def _go_dead(trial: Trial) -> None:
    """For so long that both sides give each other up."""
    trial.proxy.freeze()
    await asyncio.sleep(4 * HEARTBEAT)  # there is no fact to wait for: nothing may come through
    trial.proxy.thaw()


FAULTS: Final = [
    *(
        Fault(
            f"connection cut {when}",
            under_load(partial(_cut, stage=stage), _TIMES),
            _ON,
            costs=cuts(_TIMES),
            quick_on=(RABBITMQ,) if stage is Stage.BEFORE_CONFIRM else (),
        )
        for stage, when in _STAGES.items()
    ),
    Fault("all connections cut", under_load(_cut_all, _TIMES), _ON, costs=cuts(2 * _TIMES)),
    Fault(f"wires dead for {4 * HEARTBEAT} s", under_load(_go_dead, 1), _ON, costs=cuts(2)),
]
