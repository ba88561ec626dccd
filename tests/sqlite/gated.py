"""Tasks that end when a test says so."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.batch import until_written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.place import Place, Running

APP = str(Path(__file__).with_name("app.py"))


class Gated:
    """Tasks of `app.py` in a place.

    Args:
        place: Where they are.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._log = place.path / "log"

    def task(
        self, name: str, type_: str = "hold", *, gate: str = "gate", priority: int = 5, **more: Any
    ) -> Any:
        """One of them."""
        data = {"name": name, "log": str(self._log), "gate": str(self._place.path / gate), **more}
        return {"id": name, "type": type_, "data": data, "priority": priority}

    def publish(self, *tasks: Any) -> None:
        """Have them on the queue."""
        done = self._place.warrener("publish", self._place.tasks(tasks))
        assert done.returncode == 0, done.stderr

    def open(self, gate: str = "gate") -> None:
        """Let those that wait for it end."""
        (self._place.path / gate).touch()

    async def have_begun(self, count: int) -> list[str]:
        """Wait for so many beginnings; their names in order."""
        await until_written(self._log, count)
        return self.begun

    @property
    def begun(self) -> list[str]:
        """The names of those that have begun, in order."""
        return self._log.read_text().splitlines()

    def rows(self) -> dict[str, dict[str, Any]]:
        """The results by task, of which none has two."""
        done = self._place.warrener("results", "-o", "rows.jsonl")
        assert "0 duplicate rows dropped" in done.stderr, done.stderr
        return {str(row["task_id"]): row for row in self._place.rows("rows.jsonl")}


def ask(place: Place, query: str) -> list[Any]:
    """What the queue's file itself says."""
    with closing(sqlite3.connect(place.address.path)) as file, file:
        return file.execute(query).fetchall()


async def publish_half(place: Place, tasks: Sequence[object]) -> tuple[Running, bytes]:
    """A publisher that has had the first half from a pipe and has published some of it; and the other half."""
    lines = (place.path / place.tasks(tasks)).read_bytes().splitlines(keepends=True)
    publisher = place.begin("publish", "-", stdin=subprocess.PIPE)
    stdin = publisher.process.stdin
    assert stdin is not None
    stdin.write(b"".join(lines[: len(lines) // 2]))
    stdin.flush()
    await place.has_ready(1)
    return publisher, b"".join(lines[len(lines) // 2 :])


def publish_rest(publisher: Running, rest: bytes) -> None:
    """Give it the other half, of which it may read nothing any more."""
    stdin = publisher.process.stdin
    assert stdin is not None
    with suppress(BrokenPipeError):
        stdin.write(rest)
    with suppress(BrokenPipeError):
        stdin.close()
