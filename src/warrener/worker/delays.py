"""The delays that a worker's retries can have: those of its queue, with the app's own added where that is allowed."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from warrener.errors import AccessRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warrener.brokers import Broker
    from warrener.worker.runs import Runs

_log = logging.getLogger("warrener.worker")

# A run that waits for this worker adds them as soon as it knows them.
_WAIT_FOR: Final = 20.0
_LOOK_EVERY: Final = 0.2


async def find_delays(broker: Broker, wanted: Sequence[int], runs: Runs | None) -> Sequence[int]:
    """The delays that retries can have, in milliseconds.

    Args:
        broker: An open broker.
        wanted: Those that the app needs.
        runs: Those that may be publishing, of which one may add what this worker may not; None where nobody does.

    Raises:
        BrokerError: The broker is lost for good, or the queue is missing.
    """
    delays = await broker.delays(wanted)
    missing = sorted(set(wanted) - set(delays))
    if not missing:
        return delays
    try:
        await broker.declare(missing)
        return await broker.delays(wanted)
    except AccessRefused:  # as it should be on a shared broker
        return await _await_delays(broker, wanted, runs)


async def _await_delays(broker: Broker, wanted: Sequence[int], runs: Runs | None) -> Sequence[int]:
    loop = asyncio.get_running_loop()
    end = loop.time() + _WAIT_FOR
    delays = await broker.delays(wanted)
    while runs and set(wanted) - set(delays) and loop.time() < end and await runs.publish():
        await asyncio.sleep(_LOOK_EVERY)
        delays = await broker.delays(wanted)
    if missing := sorted(set(wanted) - set(delays)):
        _log.warning(
            "the queue has no delay of %s; retries wait for the nearest one it has. `warrener setup APP` adds them",
            ", ".join(f"{delay / 1000:g} s" for delay in missing),
        )
    return delays
