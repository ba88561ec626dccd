"""What keeps a file from being written: locked, read-only, full."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.batch import APP, drain, eventually, publish, results, task, until_written
from warrener.errors import BrokerError, BrokerUnreachable
from warrener.exit_codes import Exit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.place import Place
    from warrener.address import Address


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warrener.brokers.sqlite.file.LOCK_TIMEOUT", 0.1)
    monkeypatch.setattr("warrener.brokers.sqlite.claims.LEASE", 0.5)
    monkeypatch.setattr("warrener.brokers.sqlite.consuming.RETRY_EVERY", 0.05)


async def test_locked_file_is_said_and_ridden_out(
    sqlite_address: Address, impatient: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"
    await publish(sqlite_address, [task("wait_for", "a", file=str(gate), log=str(log))])
    running = asyncio.create_task(drain(sqlite_address))
    await until_written(log, 1)
    with _locked(sqlite_address):
        with pytest.raises(BrokerError, match="has been locked by another program"):
            await publish(sqlite_address, [task("echo", "b")])
        gate.touch()
        await _is_warned(caplog, "has been locked by another program")

    assert await running == Exit.DRAINED
    assert [(row["task_id"], row["attempts"]) for row in await results(sqlite_address)] == [("a", 1)]


async def test_locked_file_is_given_up_after_a_while(
    sqlite_address: Address, impatient: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("warrener.brokers.sqlite.consuming.RETRY_FOR", 0.2)
    gate, log = tmp_path / "gate", tmp_path / "log"
    await publish(sqlite_address, [task("wait_for", "a", file=str(gate), log=str(log))])
    running = asyncio.create_task(drain(sqlite_address))
    await until_written(log, 1)
    with _locked(sqlite_address):
        gate.touch()
        with pytest.raises(BrokerUnreachable, match="has been locked by another program"):
            await running

    await drain(sqlite_address)
    assert [row["task_id"] for row in await results(sqlite_address)] == ["a"]


def test_read_only_file_is_said(place: Place) -> None:
    place.warrener("publish", place.tasks([{"type": "echo"}]))

    codes, said = _in_namespace(
        place,
        """
        mount --bind .warrener .warrener
        mount -o remount,ro,bind .warrener
        warrener status >&2
        warrener publish tasks.jsonl
        warrener work APP --drain
        """,
    )

    assert codes == [3, 3, 75]
    sentence = (
        "work-queue.db cannot be opened: check that its directory exists and that this user may write there"
    )
    assert said.count(sentence) == 3
    assert "Traceback" not in said
    assert place.warrener("work", APP, "--drain").returncode == 0
    assert "1 task: 1 completed" in place.warrener("results").stderr


def test_full_disk_loses_nothing(place: Place) -> None:
    tasks = [{"type": "long", "data": {"size": 20_000}}] * 50
    more = [{"type": "echo", "data": {"text": "x" * 2000}}] * 1000
    place.tasks(tasks)
    place.tasks(more, "more.jsonl")

    codes, said = _in_namespace(
        place,
        """
        mkdir .warrener
        mount -t tmpfs -o size=4m none .warrener
        warrener publish tasks.jsonl
        head -c 3300000 /dev/zero > .warrener/filler
        warrener publish more.jsonl
        warrener work APP --drain 2> said &
        until grep -q 'the disk is full; .*; trying again' said; do sleep 0.1; done
        rm .warrener/filler
        wait
        cat said >&2
        warrener results -o out.jsonl
        """,
    )

    assert codes == [0, 3, 0, 0], said
    sentence = "work-queue.db cannot be written: the disk is full; free some room and go on, nothing is lost"
    assert said.count(sentence) == 2
    assert "work-queue.db can be written again" in said
    words = r"(\d+) tasks? (?:is|are) confirmed; go on with: warrener publish more.jsonl\n"
    found = re.search(words, said)
    assert found, said
    confirmed = int(found[1])
    done = 50 + confirmed
    assert f"{done} tasks: {done} completed, 0 failed, 0 missing; 0 duplicate rows dropped" in said
    assert "Traceback" not in said


async def _is_warned(caplog: pytest.LogCaptureFixture, words: str) -> None:
    async def is_warned() -> bool:
        return words in caplog.text

    await eventually(is_warned)


@contextmanager
def _locked(address: Address) -> Iterator[None]:
    with sqlite3.connect(address.path, isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
    other.close()


def _in_namespace(place: Place, script: str) -> tuple[list[int], str]:
    """Run a script where it may mount; the exit codes of the `warrener` commands in it, and what they say."""
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    warrener = 'warrener() { WARRENER "$@" || code=$?; echo "${code:-0}" >&3; code=0; }\n'.replace(
        "WARRENER", f"{sys.executable} -m warrener"
    )
    script = re.sub(r"\bAPP\b", APP, script)
    done = place.run("unshare", "--mount", *as_root, "sh", "-ec", f"{warrener} exec 3>codes\n{script}")
    assert done.returncode == 0, f"this test needs to mount, as root or in a user namespace: {done.stderr}"
    return [int(code) for code in (place.path / "codes").read_text().split()], done.stderr
