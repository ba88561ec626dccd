"""Which queue is meant where none is named."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from warrener.address import Address
from warrener.cli.finding import embedded_queues, found

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_queue_that_is_in_use_is_newer_than_one_that_was_made_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a queue that is being written to, which its own file does not tell before SQLite takes in its write-ahead log
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".warrener").mkdir()
    files = [("old.db", 1000), ("later.db", 2000), ("old.db-wal", 3000), ("empty.db", 4000)]
    for name, written_at in files:
        file = tmp_path / ".warrener" / name
        file.write_text("" if name.startswith("empty") else "x")
        os.utime(file, (written_at, written_at))

    assert embedded_queues() == ["old", "later"]
    assert found(Address()).queue == "old"
