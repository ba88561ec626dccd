"""What may have killed a worker runs alone, and holds up the others only for so long."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import msgspec
import pytest

from tests.batch import APP, eventually, publish, results, task, until_written
from tests.conformance.broker.steps import take
from warrener.brokers import connect
from warrener.models import Record
from warrener.worker import dispatcher, outcomes, quarantine
from warrener.worker.manifest import ChildSettings
from warrener.worker.outcomes import Outcomes
from warrener.worker.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from warrener.address import Address
    from warrener.brokers import Message

OTHERS: Final = {f"t{n}" for n in range(20)}


@pytest.fixture(autouse=True)
def _impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "WAIT", 0.1)
    monkeypatch.setattr(dispatcher, "_PASS_ON", 0.2)
    monkeypatch.setattr(outcomes, "_GIVES_WAY", 0.3)


async def test_others_go_on_beside_a_long_task_that_it_waits_for(address: Address, tmp_path: Path) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"
    await publish(address, [task("wait_for", "long", file=str(gate), log=str(log))])
    async with _working(address):
        await until_written(log, 1)
        await publish(address, [lost(task("echo", "lost"), times=1), *map(an_echo, OTHERS)])

        await _have_ended(address, OTHERS)
        gate.touch()
        await _have_ended(address, {*OTHERS, "long", "lost"})

    rows = {row["task_id"]: row["attempts"] for row in await results(address)}
    assert rows == dict.fromkeys({*OTHERS, "long"}, 1) | {"lost": 2}


async def test_meanwhile_it_is_where_any_other_worker_may_have_it(address: Address, tmp_path: Path) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"
    await publish(address, [task("wait_for", "long", file=str(gate), log=str(log))])
    if address.management:  # whose counts are late
        address = msgspec.structs.replace(address, management="http://127.0.0.1:1")
    async with _working(address), connect(address) as broker:
        await until_written(log, 1)
        await publish(address, [lost(task("echo", "lost"), times=1)])

        async def is_delayed() -> bool:
            return (await broker.counts()).delayed == 1

        await eventually(is_delayed)
        gate.touch()
        await _have_ended(address, {"lost", "long"})


async def test_first_time_others_join_it_once_it_has_run_alone_for_a_while(
    address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "ALONE", 0.1)
    gate, log = tmp_path / "gate", tmp_path / "log"
    await publish(address, [lost(task("wait_for", "lost", file=str(gate), log=str(log)), times=1)])
    async with _working(address):
        await until_written(log, 1)
        await publish(address, [*map(an_echo, OTHERS)])

        await _have_ended(address, OTHERS)
        gate.touch()
        await _have_ended(address, {*OTHERS, "lost"})


@pytest.mark.parametrize(("times", "gives_way"), [(0, False), (1, True)])
async def test_what_was_lost_with_two_workers_lets_others_go_first(
    address: Address, monkeypatch: pytest.MonkeyPatch, times: int, gives_way: bool
) -> None:
    # Given a task that is lost with a worker, and was so before
    await publish(address, [lost(task("echo", "lost"), times=times)])
    async with connect(address) as broker:
        await take(broker, 1)
    delays: list[float] = []
    delay = Outcomes.delay

    def noted(self: Outcomes, seconds: float) -> int | None:
        delays.append(seconds)
        return delay(self, seconds)

    monkeypatch.setattr(Outcomes, "delay", noted)
    # When it comes to the next one, then it goes through a retry delay before it runs
    async with _working(address):
        await _have_ended(address, {"lost"})
    assert [row["attempts"] for row in await results(address)] == [times + 2]
    assert (outcomes._GIVES_WAY in delays) is gives_way


def lost(message: Message, *, times: int) -> Message:
    """A task that was lost with its worker so often."""
    return msgspec.structs.replace(message, record=Record().add_lost(times))


def an_echo(name: str) -> Message:
    """A task that takes no time."""
    return task("echo", name)


@asynccontextmanager
async def _working(address: Address) -> AsyncIterator[None]:
    async with connect(address) as broker:
        supervisor = Supervisor(broker, ChildSettings(APP), processes=2)
        await supervisor.start()
        running = asyncio.create_task(supervisor.run())
        yield
        supervisor.stop()
        await running


async def _have_ended(address: Address, names: set[str]) -> None:
    async def have() -> bool:
        return {row["task_id"] for row in await results(address)} >= names

    await eventually(have)
