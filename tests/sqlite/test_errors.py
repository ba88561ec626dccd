"""What goes wrong with the file is told by its code: no name of a directory changes what is said."""

from __future__ import annotations

import errno
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.batch import publish, task
from warrener.address import Address
from warrener.brokers import connect
from warrener.brokers.sqlite.file import File
from warrener.errors import BrokerError, BrokerUnreachable

TRAPS = ["full", "locked", "readonly", "disk I/O error", "not a database", "malformed"]


@pytest.mark.parametrize("trap", TRAPS)
@pytest.mark.parametrize(
    ("code", "kind", "sentence"),
    [
        (errno.EACCES, BrokerError, "read-only for this user"),
        (errno.EROFS, BrokerError, "read-only for this user"),
        (errno.ENOSPC, BrokerUnreachable, "the disk is full"),
        (errno.EIO, BrokerUnreachable, "disk I/O error"),
        (errno.ENOENT, BrokerError, "check that its directory exists"),
        (errno.EMFILE, BrokerError, "Too many open files"),
    ],
)
def test_error_of_the_system(trap: str, code: int, kind: type[BrokerError], sentence: str) -> None:
    path = Path("/data") / trap / "queue.db"
    error = OSError(code, "Too many open files", str(path))

    with pytest.raises(BrokerError, match=sentence) as raised:
        File(path, "q", makes_directory=False).guard(_raise, error)

    assert type(raised.value) is kind


@pytest.mark.parametrize("trap", TRAPS)
async def test_error_of_sqlite(tmp_path: Path, trap: str) -> None:
    (tmp_path / trap).mkdir(parents=True)
    file = tmp_path / trap / "queue.db"
    file.write_text("this is no database at all, and long enough to be looked at" * 100)

    with pytest.raises(BrokerError, match="is no SQLite database"):
        await publish(Address(f"sqlite:{file}", "q"), [task("echo", "t")])


async def test_what_became_of_the_file_is_told_by_each_method_alike(tmp_path: Path) -> None:
    async with connect(Address(f"sqlite:{tmp_path / 'q.db'}", "q")) as broker:
        (tmp_path / "q.db").write_text("this is no database at all, and long enough to be looked at" * 100)
        for ask in (broker.counts, broker.depths, lambda: broker.completed_at([0])):
            with pytest.raises(BrokerError, match="is no SQLite database"):
                await ask()


def test_error_that_has_no_code(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "x")) as db:
        pass
    with pytest.raises(BrokerError, match="closed database"):
        File(tmp_path / "full" / "x", "q", makes_directory=False).guard(db.execute, "SELECT 1")


async def test_no_directory_is_made_for_a_file_that_was_named(tmp_path: Path) -> None:
    file = tmp_path / "nonexist" / "deeper" / "x.db"

    with pytest.raises(BrokerError, match=r"x\.db cannot be made: there is no directory .*deeper; make it"):
        await publish(Address(f"sqlite:{file}", "q"), [task("echo", "t")])

    assert list(tmp_path.iterdir()) == []


async def test_own_directory_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    await publish(Address(queue="q"), [task("echo", "t")])
    assert (tmp_path / ".warrener" / "q.db").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / ".warrener").stat().st_mode & 0o777 == 0o700


async def test_batch_that_could_not_be_written_ends_its_session(sqlite_address: Address) -> None:
    """What comes after a gap is never taken for confirmed."""
    async with connect(sqlite_address) as broker:
        await broker.declare([])
        session, other = broker.publish_session(), broker.publish_session()
        with closing(sqlite3.connect(sqlite_address.path)) as file:
            file.execute("ALTER TABLE tasks RENAME TO gone")
            await session.publish([task("echo", "lost")])
            for _ in range(2):
                with pytest.raises(BrokerError, match="no such table"):
                    await session.flush()
            file.execute("ALTER TABLE gone RENAME TO tasks")
        with suppress(BrokerError):
            await session.publish([task("echo", "later")])
            await session.flush()
        assert session.confirmed == 0
        await other.publish([task("echo", "t")])
        await other.flush()
        assert (other.confirmed, (await broker.counts()).ready) == (1, 1)


def _raise(error: OSError) -> None:
    raise error
