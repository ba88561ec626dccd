"""A worker that drains leaves with nothing on its way."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from tests.batch import APP, PATIENCE, QUICK, eventually, publish, task
from warrener.brokers import connect
from warrener.exit_codes import Exit
from warrener.worker.manifest import ChildSettings
from warrener.worker.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from warrener.address import Address
    from warrener.brokers.protocol import Listener


async def test_confirm_of_what_came_at_the_moment_of_leaving_is_waited_for(
    rabbit_address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(rabbit_address, [])
    held: list[Callable[[], None]] = []  # confirms
    async with connect(rabbit_address) as broker:
        broker.drain_pause = QUICK
        supervisor = Supervisor(broker, ChildSettings(APP), processes=1, drain=True)
        await supervisor.start()
        pause, consume = broker.pause, broker.consume

        # Given a task that comes as the worker leaves, and ends before that has paused, without a confirm
        async def late() -> None:
            monkeypatch.setattr(broker, "pause", pause)
            own = broker._consuming._settling._tracker  # type: ignore[attr-defined]
            confirm = own._confirm
            monkeypatch.setattr(
                own, "_confirm", lambda *of, **more: held.append(partial(confirm, *of, **more))
            )
            await publish(rabbit_address, [task("echo", "late")])

            async def has_ended() -> bool:
                return supervisor.held == 0 and bool(held)

            await eventually(has_ended)
            await pause()
            monkeypatch.setattr(broker, "consume", again)

        # When it goes on, its confirm comes
        async def again(listener: Listener, prefetch: int) -> None:
            for end in held:
                end()
            await consume(listener, prefetch)

        monkeypatch.setattr(broker, "pause", late)
        async with asyncio.timeout(PATIENCE):
            assert await supervisor.run() is Exit.DRAINED
        # Then it leaves
        assert broker.unsettled == 0
    async with connect(rabbit_address) as other:
        assert (await other.counts()).completed == 1
