"""A fault: what is done to a batch, and what it may cost."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tests.chaos.trial import HELD, Trial
from tests.chaos.verdict import UNTOLD, Row, judge

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from tests.chaos.trial import Arena

EMBEDDED: Final = "embedded"
RABBITMQ: Final = "RabbitMQ"
CLUSTER: Final = "three nodes"
EVERYWHERE: Final = (EMBEDDED, RABBITMQ, CLUSTER)
TASKS: Final = 2000
_SHOWN: Final = 2000


def cuts(count: int) -> dict[str, int]:
    """What so many workers' lost connections may cost."""
    return {"WorkerLost": count * HELD, UNTOLD: count * HELD}


def batch(count: int = TASKS) -> list[dict[str, Any]]:
    """Tasks as they come: most do well, some fail once, some for good; with priorities."""
    types = ["square"] * 47 + ["flaky", "flaky", "hopeless"]
    return [
        {"id": f"t{n}", "type": types[n % len(types)], "data": {"n": n}, "priority": n % 10}
        for n in range(count)
    ]


@dataclass(frozen=True)
class Fault:
    """One row of the table.

    Args:
        name: What is done, in a few words.
        run: Publishes the batch, has it worked on, and does it.
        on: The brokers it applies to.
        costs: See `judge`.
        is_free: See `judge`.
        tasks: Makes the batch.
        quick_on: The brokers on which `make test` has it, too: whichever shows the most in the least time.
    """

    name: str
    run: Callable[[Trial], Awaitable[None]]
    on: tuple[str, ...] = EVERYWHERE
    costs: Mapping[str, int] = field(default_factory=dict)
    is_free: bool = False
    tasks: Callable[[], list[dict[str, Any]]] = batch
    quick_on: tuple[str, ...] = ()

    async def try_on(self, arena: Arena, directory: Path, chance: random.Random) -> Row:
        """Run a batch under this fault, and count. Whatever goes wrong is in the row."""
        row = Row(self.name, arena.name)
        with Trial(arena, directory, chance, self.tasks()) as trial:
            try:
                await self.run(trial)
                await judge(trial, row, self.costs, is_free=self.is_free)
            except Exception:  # noqa: BLE001 - the other rows are still to come
                row.broken = traceback.format_exc()
            if not row.is_good:
                row.broken += "\n".join(said[-_SHOWN:] for said in trial.said())
        return row


def under_load(
    strike: Callable[[Trial], Awaitable[None]], times: int = 3
) -> Callable[[Trial], Awaitable[None]]:
    """A batch that two workers work on, struck as often, at even distances."""

    async def run(trial: Trial) -> None:
        await trial.publish()
        await trial.begin_workers()
        for number in range(1, times + 1):
            await trial.has_done(number * len(trial.tasks) // (times + 1))
            async with trial.strike():
                await strike(trial)
        await trial.end_workers()

    return run
