"""A file that is moved, deleted, truncated or replaced under those who use it: they say so and end, soon."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.batch import eventually
from tests.sqlite.gated import APP, Gated
from warrener.brokers import connect
from warrener.errors import QueueMissing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.place import Place
    from warrener.address import Address

WORK = ["work", APP, "--processes", "1"]


def _move(file: Path) -> None:
    file.rename(file.with_name("elsewhere"))


def _move_directory(file: Path) -> None:
    file.parent.rename(file.parent.with_name("elsewhere"))


def _delete(file: Path) -> None:
    file.unlink()


def _truncate(file: Path) -> None:
    file.write_bytes(b"")


def _replace(file: Path) -> None:
    shutil.copy(file, file.with_name("copy"))
    file.with_name("copy").replace(file)


def _delete_log(file: Path) -> None:
    file.with_name(f"{file.name}-wal").unlink()


def _delete_index(file: Path) -> None:
    file.with_name(f"{file.name}-shm").unlink()


DEEDS = [_move, _move_directory, _delete, _truncate, _replace, _delete_log, _delete_index]


@pytest.mark.parametrize("deed", DEEDS)
async def test_whoever_uses_it_says_so_and_ends(place: Place, deed: Callable[[Path], None]) -> None:
    gated = Gated(place)
    gated.publish(gated.task("a"), gated.task("b"), {"id": "z", "type": "echo", "priority": 9})
    busy = place.begin(*WORK, "--drain")
    await gated.have_begun(1)
    users = [
        place.begin("status", "--watch"),
        place.begin("results", "--follow", "-o", "out.jsonl"),
        place.begin("publish", "-", stdin=subprocess.PIPE),
    ]
    stdin = users[-1].process.stdin
    assert stdin is not None
    stdin.write(b'{"id": "c", "type": "echo"}\n')
    stdin.flush()
    await place.has_ready(2)
    await users[0].says("ready")
    await _is_read(place)

    deed(place.address.path)

    stdin.write(b'{"id": "d", "type": "echo"}\n')
    stdin.close()
    gated.open()
    assert busy.end() == 75
    assert [user.end() for user in users] == [3, 3, 3]
    did = "was truncated" if deed is _truncate else "was moved, deleted or replaced"
    for command in (busy, *users):
        assert f"{did} while it was in use" in command.said
        assert "Traceback" not in command.said
    assert not (place.path / "out.jsonl").exists()


async def _is_read(place: Place) -> None:
    """Wait for a row in the file that the collector writes."""

    async def is_read() -> bool:
        return any(file.stat().st_size for file in place.path.glob(".out.jsonl.*"))

    await eventually(is_read)


async def test_queue_that_is_made_anew_is_left_alone_by_whoever_used_the_former(place: Place) -> None:
    gated = Gated(place)
    gated.publish(gated.task("a"))
    worker = place.begin(*WORK)
    await gated.have_begun(1)
    worker.process.send_signal(signal.SIGSTOP)
    shutil.rmtree(place.address.path.parent)
    publisher = place.begin("publish", "-", stdin=subprocess.PIPE)
    stdin = publisher.process.stdin
    assert stdin is not None
    stdin.write(b'{"id": "b", "type": "echo"}\n')
    stdin.flush()
    await place.has_ready(1)

    worker.process.send_signal(signal.SIGCONT)
    assert worker.end() == 75

    stdin.write(b'{"id": "c", "type": "echo"}\n')
    stdin.close()
    assert publisher.end() == 0, publisher.said
    assert place.warrener(*WORK, "--drain").returncode == 0
    assert sorted(gated.rows()) == ["b", "c"]


async def test_log_that_is_deleted_takes_nothing_along(place: Place) -> None:
    """Whoever has it open writes what was in it to the database in the end."""
    gated = Gated(place)
    gated.publish(gated.task("a", gate="first"), gated.task("b"))
    gated.open("first")
    worker = place.begin(*WORK)
    await gated.have_begun(2)

    _delete_log(place.address.path)

    assert worker.end() == 75
    gated.open()
    assert place.warrener(*WORK, "--drain").returncode == 0
    assert {name: row["attempts"] for name, row in gated.rows().items()} == {"a": 1, "b": 2}


async def test_moved_queue_goes_on_where_it_is(place: Place) -> None:
    gated = Gated(place)
    gated.publish(gated.task("a"), {"id": "b", "type": "echo"})
    worker = place.begin(*WORK)
    await gated.have_begun(1)
    place.address.path.parent.rename(place.path / "moved")
    assert worker.end() == 75
    place.environment["WARRENER_BROKER"] = "sqlite:moved/work-queue.db"
    gated.open()

    assert place.warrener(*WORK, "--drain").returncode == 0

    assert {name: row["attempts"] for name, row in gated.rows().items()} == {"a": 2, "b": 1}


async def test_failures_are_counted_without_reading_them(sqlite_address: Address) -> None:
    async with connect(sqlite_address) as broker:
        await broker.declare([])
    with closing(sqlite3.connect(sqlite_address.path)) as db:
        plan = db.execute("EXPLAIN QUERY PLAN SELECT count(*) FROM failures").fetchall()
    assert "USING COVERING INDEX failures_counted" in str(plan)


async def test_empty_file_is_no_queue_until_one_is_made_of_it(sqlite_address: Address) -> None:
    path = sqlite_address.path
    path.touch()
    async with connect(sqlite_address) as broker:
        with pytest.raises(QueueMissing, match=r"does not exist \(.* is empty\); publish tasks"):
            await broker.counts()
        await broker.declare([])
        assert (await broker.counts()).ready == 0
    # And whoever looks at one that was emptied leaves its log, which may have what it had
    log = path.with_name(f"{path.name}-wal")
    log.write_bytes(b"all of it")
    path.write_bytes(b"")
    async with connect(sqlite_address) as broker:
        with pytest.raises(QueueMissing, match="is empty"):
            await broker.counts()
        assert log.read_bytes() == b"all of it"
        await broker.delete()
    assert not path.exists()
    assert not log.exists()
