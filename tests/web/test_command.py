"""`warrener ui` and `run --ui` as commands."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from tests.sqlite.gated import APP, Gated
from tests.web.visitor import Visitor
from warrener.errors import UsageError
from warrener.web.installed import check_installed

if TYPE_CHECKING:
    from tests.place import Place, Running


async def _visitor(running: Running) -> Visitor:
    await running.says("page: http://127.0.0.1:")
    found = re.search(r"page: http://127.0.0.1:(\d+)/\?queue=", running.said)
    assert found
    return Visitor(int(found[1]))


async def test_run_shows_its_page_while_it_works_and_ui_ends_at_once(place: Place) -> None:
    gated = Gated(place)
    tasks = place.tasks([gated.task("held")], "images.jsonl")
    run = place.begin("run", APP, tasks, "--ui", "--processes", "1")
    beside = await _visitor(run)
    ui = place.begin("ui", "--port", "0", "--queue", "images", "--broker", "embedded")
    other = await _visitor(ui)
    async with AsyncExitStack() as streams:
        for visitor in (beside, other):
            events = await streams.enter_async_context(visitor.events("images"))
            await events.have("workers", lambda told: told["workers"] and told["workers"][0]["running"])
            (row,) = (await visitor.get("/api/queues")).json["queues"]
            assert (row["queue"], row["state"]) == ("images", "running")
        gated.open()
        assert run.end() == 0
        with pytest.raises(ConnectionError):
            await beside.get("/healthz")

        ended = asyncio.get_running_loop().run_in_executor(None, ui.end, signal.SIGINT)

        assert await ended == 0
    assert "Traceback" not in run.said + ui.said


def test_what_is_not_installed_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(UsageError, match=r"pip install 'warrener\[web\]'"):
        check_installed()


def test_port_that_is_taken_is_refused(place: Place) -> None:
    done = place.warrener("ui", "--host", "192.0.2.1", "--port", "1")
    assert done.returncode == 2
    assert "port 1 of 192.0.2.1 cannot be had" in done.stderr
