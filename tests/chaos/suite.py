"""Which faults there are, and on which brokers they are tried: each broker in a lane of its own, all lanes at once."""

from __future__ import annotations

import asyncio
import os
import random
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.chaos import arenas, batches, broker, cluster, connections, machine, mixed, poison, processes
from tests.chaos.fault import CLUSTER, EMBEDDED, RABBITMQ
from warrener.address import Address

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from tests.chaos.fault import Fault
    from tests.chaos.trial import Arena
    from tests.chaos.verdict import Row

_ON_ANY_BROKER: Final = [*processes.FAULTS, *batches.FAULTS, *connections.FAULTS, *poison.FAULTS]
FAULTS: Final = [*_ON_ANY_BROKER, *broker.FAULTS, *cluster.FAULTS, *machine.FAULTS]


@dataclass(frozen=True)
class Suite:
    """One run of everything.

    Args:
        seed: Of all that is left to chance.
        directory: Where the batches are kept meanwhile.
        only: Only faults whose name, with their broker's, has these words.
        minutes: How long the mixed load lasts; 0 leaves it out.
    """

    seed: int
    directory: Path
    only: str = ""
    minutes: float = 20.0

    def run(self, tell: Callable[[Row], None]) -> None:
        """Run every lane to its end, and tell each row as it comes."""
        lanes = [threading.Thread(target=self._drive, args=(lane, tell)) for lane in self._lanes()]
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()

    def _lanes(self) -> list[_Lane]:
        if url := os.environ.get("WARRENER_TEST_BROKER"):
            address = Address(url, management=os.environ.get("WARRENER_TEST_MANAGEMENT"))
            lanes = [_Lane(RABBITMQ, lambda: arenas.theirs(address), self._wanted(_ON_ANY_BROKER, RABBITMQ))]
        else:
            mixture = [mixed.fault(self.minutes)] if self.minutes else []
            lanes = [
                _Lane(name, arena, self._wanted(faults, name))
                for name, arena in _ARENAS.items()
                for faults in (FAULTS, mixture)
            ]
        return [lane for lane in lanes if lane.faults]

    def _wanted(self, faults: Sequence[Fault], name: str) -> list[Fault]:
        return [fault for fault in faults if name in fault.on and self.only in f"{fault.name} {name}"]

    def _drive(self, lane: _Lane, tell: Callable[[Row], None]) -> None:
        asyncio.run(self._try_all(lane, tell))

    async def _try_all(self, lane: _Lane, tell: Callable[[Row], None]) -> None:
        async with lane.arena() as arena:
            for fault in lane.faults:
                directory = self.directory / re.sub(r"\W+", "-", f"{lane.name} {fault.name}")
                directory.mkdir()
                chance = random.Random(f"{self.seed} {lane.name} {fault.name}")
                tell(await fault.try_on(arena, directory, chance))


@dataclass(frozen=True)
class _Lane:
    name: str
    arena: Callable[[], AbstractAsyncContextManager[Arena]]
    faults: Sequence[Fault]


_ARENAS: Final[dict[str, Callable[[], AbstractAsyncContextManager[Arena]]]] = {
    EMBEDDED: arenas.embedded,
    RABBITMQ: arenas.single,
    CLUSTER: arenas.three_nodes,
}
