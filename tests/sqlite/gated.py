"""Tasks that end when a test says so."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.batch import until_written

if TYPE_CHECKING:
    from tests.place import Place

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
        done = self._place.warren("publish", self._place.tasks(tasks))
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
        done = self._place.warren("results", "-o", "rows.jsonl")
        assert "0 duplicate rows dropped" in done.stderr, done.stderr
        return {str(row["task_id"]): row for row in self._place.rows("rows.jsonl")}


def ask(place: Place, query: str) -> list[Any]:
    """What the queue's file itself says."""
    with closing(sqlite3.connect(place.address.path)) as file, file:
        return file.execute(query).fetchall()
