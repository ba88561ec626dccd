"""Children are asked for faster than they can be had, and each is taken for the one it is."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Final

import pytest

from tests.batch import PATIENCE
from warrener.worker.fork_messages import Exited, Forked, News
from warrener.worker.fork_server import ForkServer
from warrener.worker.manifest import ChildSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

MANY: Final = 320  # a socket holds some 280 requests


@pytest.fixture
async def fork_server(tmp_path: Path, fresh_fork_servers: None) -> AsyncIterator[ForkServer]:
    """One that has imported an app."""
    app = tmp_path / "plain.py"
    app.write_text("from warrener import App\napp = App()\n@app.task\ndef echo() -> None: ...\n")
    server = ForkServer()
    await server.start(ChildSettings(str(app)))
    yield server
    await server.end()


async def test_requests_wait_for_room_and_their_answers_say_which_they_are(fork_server: ForkServer) -> None:
    assert fork_server._process
    pid = fork_server._process.pid
    os.kill(pid, signal.SIGSTOP)
    asked, outputs = {}, []
    for _ in range(MANY):
        number, connection, output = fork_server.fork()
        asked[number] = connection
        outputs.append(output)
    os.kill(pid, signal.SIGCONT)

    news = fork_server.news()
    forked: dict[int, int] = {}
    async with asyncio.timeout(PATIENCE):
        while len(forked) < MANY:
            told = await anext(news)
            assert isinstance(told, Forked)
            forked[told.number] = told.pid
        assert forked.keys() == asked.keys()
        for number in (1, MANY // 2, MANY):
            asked.pop(number).close()  # by which the child ends
            assert await _exited(news) == forked[number]
    for connection in asked.values():
        connection.close()
    for output in outputs:
        os.close(output)


async def _exited(news: AsyncIterator[News]) -> int:
    told = await anext(news)
    assert isinstance(told, Exited)
    return told.pid
