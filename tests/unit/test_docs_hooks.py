"""What the page about handlers says of hooks, followed to the letter."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tests.documents import Document
from warrener import App, Task, testing
from warrener.loader import load

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_lifespan_is_entered_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = _app_of("store_app.py", tmp_path, monkeypatch)

    with testing.run(app, [Task(f"t{n}", "store", {"id": n % 2, "text": "a"}) for n in range(4)]) as batch:
        assert [result.value for result in batch.results.values()] == [1, 1, 0, 0]


def _app_of(name: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    (directory / name).write_text(Document("docs/handlers.md").files()[name])
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(directory)
    return load(str(directory / name))
