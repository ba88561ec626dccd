"""What an app's import leaves open is told from what does no harm."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import selectors
import socket
import sqlite3
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

from warrener.worker.child.inherited import warnings_of, what_is_open

if TYPE_CHECKING:
    from pathlib import Path


def test_what_does_harm_is_named_with_what_it_does(tmp_path: Path) -> None:
    before = what_is_open()
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = server.getsockname()[1]
        for _ in range(2):  # a pool of connections to one place is named once
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            stack.enter_context(server.accept()[0])
        named = stack.enter_context(socket.socket(socket.AF_UNIX))
        named.bind(str(tmp_path / "postgres"))
        named.listen()
        client = stack.enter_context(socket.socket(socket.AF_UNIX))
        client.connect(str(tmp_path / "postgres"))
        database = sqlite3.connect(tmp_path / "rows.db")
        stack.callback(database.close)
        database.execute("pragma journal_mode = wal")
        database.execute("create table rows (id)")
        stack.enter_context((tmp_path / "out.csv").open("w"))
        (tmp_path / "images.zip").touch()
        stack.enter_context((tmp_path / "images.zip").open("rb"))
        pool = stack.enter_context(ThreadPoolExecutor(1, "fetch"))
        pool.submit(int).result()
        process = stack.enter_context(
            subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        )  # its descriptor is ours

        said = warnings_of("app.py", before)
        process.terminate()

    for sentence, pattern in zip(
        said,
        [
            r"app.py opened a pipe to another process, .* and \d more while .* answers mix; make it in an @app.lifespan",
            r"app.py opened the database \S*/rows.db while .* SQLite does not allow; .*",
            r"app.py opened for writing \S*/out.csv while .*",
            r"app.py opened \S*/images.zip while .* its position.*",
            r"app.py started the thread 'fetch_0' while .* wait for it for ever; make it in an @app.lifespan",
        ],
        strict=True,
    ):
        assert re.fullmatch(pattern, sentence), sentence


def test_connections_are_named_by_where_they_go(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        before = what_is_open()
        with socket.create_connection(server.getsockname()):
            (said,) = warnings_of("app.py", before)
        assert said.startswith(
            f"app.py opened a socket to 127.0.0.1:{server.getsockname()[1]} while it was imported"
        )
        assert warnings_of("app.py", before) == []  # it is closed


def test_what_does_no_harm_is_not_named(tmp_path: Path) -> None:
    before = what_is_open()
    with ExitStack() as stack:
        loop = asyncio.new_event_loop()
        stack.callback(loop.close)
        stack.enter_context(selectors.DefaultSelector())
        for end in (*socket.socketpair(), socket.socket(), socket.socket(type=socket.SOCK_DGRAM)):
            stack.enter_context(end)
        statsd = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
        statsd.connect(("127.0.0.1", 8125))
        for fd in os.pipe():
            stack.callback(os.close, fd)
        stack.callback(os.close, os.open("/dev/urandom", os.O_RDONLY))
        stack.callback(os.close, os.memfd_create("kernel"))
        stack.enter_context(tempfile.TemporaryFile())
        stack.enter_context((tmp_path / "app.log").open("a"))
        log = logging.FileHandler(tmp_path / "fresh.log", mode="w")
        stack.callback(log.close)

        assert warnings_of("app.py", before) == []
    assert sys.platform != "linux" or before.descriptors
