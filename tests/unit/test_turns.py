"""Whom a run waits for before it publishes."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

from tests.batch import PATIENCE
from warrener import turns
from warrener.address import Address
from warrener.brokers import connect
from warrener.journal import Begun, note, read_journal
from warrener.turns import wait_for_turn

if TYPE_CHECKING:
    import pytest


async def test_a_run_that_was_killed_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_SILENT_FOR", 0.01)
    killed, *later = (Begun(name, "here:/tasks.jsonl", 0.0) for name in ("killed", "second", "third"))
    async with connect(Address(f"memory:{uuid.uuid4().hex}", "test")) as broker:
        await broker.declare([])
        for run in (killed, *later):
            await note(broker, run)

        told: list[str] = []
        async with asyncio.timeout(PATIENCE):
            await wait_for_turn(broker, later[0], lambda: told.append("waits"))

        assert "waits" in told
        assert list((await read_journal(broker)).publishing_before(later[1])) == ["second"]
