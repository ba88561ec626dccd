"""A queue that has no place for what workers tell: they work on as they would, and who looks is told why he sees nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from tests.batch import DELAYS, PATIENCE, drain, eventually, publish, results, task
from tests.documents import ROOT
from warrener.beats import listening
from warrener.brokers import connect
from warrener.brokers.names import Names
from warrener.errors import QueueMissing
from warrener.exit_codes import Exit
from warrener.worker.manifest import ChildSettings

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.operator import Operator
    from warrener.address import Address

APP: Final = ChildSettings(f"{ROOT / 'tests/conformance/worker/progress_app.py'}:app")


async def test_worker_on_an_older_queue_works_on_and_tells_once_there_is_a_place(
    rabbit_address: Address,
    operator: Operator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("warrener.worker.beating.EVERY", 0.15)
    monkeypatch.setattr("warrener.brokers.rabbitmq.beats._TRY_AGAIN_AFTER", 0.1)
    monkeypatch.setattr("warrener.brokers.rabbitmq.RabbitBroker.settling", 0)
    monkeypatch.setenv("PROGRESS_END", str(tmp_path / "end"))
    await publish(rabbit_address, [task("say_nothing", f"t{n}") for n in range(3)])
    operator.delete("exchanges", operator.vhost, Names(rabbit_address.queue).beats)

    working = asyncio.create_task(drain(rabbit_address, settings=APP))
    async with connect(rabbit_address) as broker:
        async with listening(broker) as heard:
            await heard.have(None, PATIENCE)
            assert isinstance(heard.error, QueueMissing)
        findings = [finding.text for finding in await broker.inspect() if not finding.ok]
        assert [text for text in findings if ".beats' does not exist, so nobody sees what runs" in text]

        await broker.declare(DELAYS)
        async with listening(broker) as heard:

            async def is_heard() -> bool:
                return bool(heard.workers) or working.done()

            await eventually(is_heard)
            assert heard.workers
    (tmp_path / "end").touch()
    assert await working is Exit.DRAINED
    assert len(await results(rabbit_address)) == 3
    assert "beats" not in caplog.text
