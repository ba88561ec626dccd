"""A worker that is thought dead and is not: what it still has to say of its tasks counts for nothing."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

import pika
import pytest

from tests.batch import APP, drain, eventually, failures, publish, results, task, until_written
from tests.place import Place, children
from tests.rabbitmq.cutting import cut
from warrener.address import Address
from warrener.brokers import connect
from warrener.brokers.rabbitmq import RabbitBroker
from warrener.exit_codes import Exit
from warrener.worker import redelivery
from warrener.worker.manifest import ChildSettings
from warrener.worker.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from warrener.brokers import Broker

HEARTBEAT: Final = "?heartbeat=1"
_APP: Final = '''
import os, time
from pathlib import Path
from warrener import App, PermanentError

app = App(base=0.05)

@app.task
def end(how: str, log: str) -> str:
    """The first copy waits for its file and ends as told; a later one completes at once."""
    with open(log, "a") as lines:
        lines.write("ran\\n")
    if len(Path(log).read_text().splitlines()) > 1:
        return "newer"
    while not Path(log + ".gate").exists():
        time.sleep(0.01)
    if how == "failed":
        raise PermanentError("older")
    if how == "delayed":
        raise ValueError("older")
    if how == "crashed":
        os._exit(3)
    return "older"
'''


class Proxy:
    """Leads to a broker, until it is a black hole: connections stay open, and nothing arrives any more."""

    def __init__(self, address: Address) -> None:
        self.is_hole = False
        self._address = address
        self._open: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._lead, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._open:
            writer.transport.abort()

    @property
    def address(self) -> Address:
        """The queue, through here, with heartbeats that are soon missed."""
        url = urlsplit(self._address.broker)
        port = self._server.sockets[0].getsockname()[1]
        broker = f"amqp://{url.username}:{url.password}@127.0.0.1:{port}{url.path}{HEARTBEAT}"
        return Address(broker, self._address.queue, self._address.management)

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_hole:
            writer.close()
            return
        port = urlsplit(self._address.broker).port
        from_broker, to_broker = await asyncio.open_connection("127.0.0.1", port)
        self._open += [writer, to_broker]
        await asyncio.gather(self._pass(reader, to_broker), self._pass(from_broker, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if self.is_hole:
                    return  # what was open stays open, and is silent
                writer.write(data)
        writer.close()


@pytest.mark.parametrize("how", ["completed", "failed", "delayed", "crashed"])
async def test_late_outcome_of_an_old_copy_changes_nothing(
    rabbit_address: Address, tmp_path: Path, how: str
) -> None:
    app, log = tmp_path / "late.py", tmp_path / "log"
    app.write_text(_APP)
    await publish(rabbit_address, [task("end", "t", how=how, log=str(log))])
    async with connect(rabbit_address) as broker:
        older = Supervisor(broker, ChildSettings(str(app)), processes=1)
        await older.start()
        running = asyncio.create_task(older.run())
        await until_written(log, 1)
        async with _kept_away(broker):
            await drain(rabbit_address, settings=ChildSettings(str(app)), is_patient=True)
            (tmp_path / "log.gate").touch()

            async def has_ended() -> bool:
                return not older.held

            await eventually(has_ended)
        # It works on, when it is back.
        await publish(rabbit_address, [task("end", "after", how="completed", log=str(log))])

        async def is_done() -> bool:
            return (await broker.counts()).completed == 2

        await eventually(is_done)
        older.stop()
        assert await running is Exit.STOPPED
    await drain(rabbit_address, settings=ChildSettings(str(app)), is_patient=True)

    rows = await results(rabbit_address)
    assert [(row["task_id"], row["value"], row["attempts"]) for row in rows] == [
        ("t", "newer", 2),
        ("after", "newer", 1),
    ]
    assert [attempt["error"] for attempt in rows[0]["history"]] == ["WorkerLost"]
    assert await failures(rabbit_address) == {}
    assert log.read_text().splitlines() == ["ran"] * 3


@pytest.mark.parametrize("is_settled", [True, False], ids=["settled before the cut", "ended after it"])
async def test_what_is_known_of_an_old_task_is_not_used_for_a_new_one_of_its_id(
    rabbit_address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_settled: bool
) -> None:
    monkeypatch.setattr(redelivery, "REMEMBERED_FOR", 0.0)
    app, log, gate = tmp_path / "late.py", tmp_path / "log", tmp_path / "log.gate"
    app.write_text(_APP)
    again = task("end", "t", how="completed", log=str(log))
    await publish(rabbit_address, [again])
    async with connect(rabbit_address) as broker:
        worker = Supervisor(broker, ChildSettings(str(app)), processes=1)

        async def has_ended() -> bool:
            return not worker.held and not broker.unsettled

        await worker.start()
        running = asyncio.create_task(worker.run())
        await until_written(log, 1)
        if is_settled:
            gate.touch()
            await eventually(has_ended)
        async with _kept_away(broker):
            if not is_settled:
                await drain(rabbit_address, settings=ChildSettings(str(app)), is_patient=True)
                gate.touch()
                await eventually(has_ended)
            async with connect(rabbit_address) as other:
                await other.purge()
            await publish(rabbit_address, [again])
            with pika.BlockingConnection(pika.URLParameters(rabbit_address.broker)) as lost:
                assert lost.channel().basic_get(rabbit_address.queue)[0]

        async def is_done() -> bool:
            return (await broker.counts()).completed == 1

        await eventually(is_done)
        worker.stop()
        assert await running is Exit.STOPPED

    (row,) = await results(rabbit_address)
    assert (row["value"], row["attempts"]) == ("newer", 2)


async def test_stopped_worker_that_goes_on_adds_nothing_for_the_tasks_it_lost(
    rabbit_address: Address, tmp_path: Path
) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"
    waiting = [task("wait_for", f"w{n}", 9, file=str(gate), log=str(log)) for n in range(2)]
    await publish(rabbit_address, [*waiting, *(task("echo", f"t{n}") for n in range(50))])
    watched = Address(rabbit_address.broker + HEARTBEAT, rabbit_address.queue, rabbit_address.management)
    with Place(tmp_path, watched) as place:
        zombie = place.begin("work", APP, "--processes", "2", "--concurrency", "1", is_fresh=True)
        await until_written(log, 2)
        fork_server = children(zombie.process.pid)[0]
        zombie.process.send_signal(signal.SIGSTOP)
        gate.touch()  # its children end meanwhile, and tell nobody

        async def are_done() -> bool:  # the zombie's too, once its silence is noticed
            await drain(rabbit_address, is_patient=True)
            return len(await results(rabbit_address)) == 52

        await eventually(are_done)
        os.kill(fork_server, 0)
        zombie.process.send_signal(signal.SIGCONT)
        await zombie.says("connected to")
        await publish(rabbit_address, [task("echo", "after")])

        async def is_done() -> bool:
            return len(await results(rabbit_address)) == 53

        await eventually(is_done)
        assert zombie.end(signal.SIGTERM) == 75

    rows = await results(rabbit_address)
    assert len(rows) == len({row["task_id"] for row in rows}) == 53
    assert {row["task_id"]: row["attempts"] for row in rows if row["task_id"] in ("w0", "w1", "after")} == {
        "w0": 2,
        "w1": 2,
        "after": 1,
    }
    assert await failures(rabbit_address) == {}


async def test_black_hole_is_found_on_both_sides(rabbit_address: Address, tmp_path: Path) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"
    await publish(rabbit_address, [task("wait_for", "t", file=str(gate), log=str(log))])
    async with Proxy(rabbit_address) as proxy:
        with Place(tmp_path, proxy.address) as place:
            worker = place.begin("work", APP, "--processes", "1", "--drain")
            await until_written(log, 1)

            async def has_come_back() -> None:
                async with connect(rabbit_address) as broker:

                    async def is_ready() -> bool:
                        return (await broker.counts()).ready == 1

                    await eventually(is_ready)

            proxy.is_hole = True
            # The broker's side: somebody else is given the task. The worker's side: it connects anew.
            await asyncio.gather(has_come_back(), worker.says("connecting again"))
            proxy.is_hole = False
            await worker.says("connected to")
            gate.touch()
            assert await asyncio.to_thread(worker.end) == 0, worker.said

    (row,) = await results(rabbit_address)
    assert (row["task_id"], row["attempts"]) == ("t", 1)
    assert len(log.read_text().splitlines()) == 1


@asynccontextmanager
async def _kept_away(broker: Broker) -> AsyncIterator[None]:
    """Cut the broker's connection, and let it have no other meanwhile."""
    assert isinstance(broker, RabbitBroker)
    async with broker._connections._opening:
        cut(broker)
        yield
