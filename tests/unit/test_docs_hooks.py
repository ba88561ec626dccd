"""What the page about handlers says of hooks, followed to the letter."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.documents import Document
from warrener import App, Attempt, Stopped, Task, testing
from warrener.loader import load

if TYPE_CHECKING:
    from pathlib import Path


def test_lifespan_is_entered_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = _app_of("store_app.py", tmp_path, monkeypatch)

    with testing.run(app, [Task(f"t{n}", "store", {"id": n % 2, "text": "a"}) for n in range(4)]) as batch:
        assert [result.value for result in batch.results.values()] == [1, 1, 0, 0]


def test_middleware_sees_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app = _app_of("timed_app.py", tmp_path, monkeypatch)

    with testing.run(app, [Task("even", "halve", {"number": 2}), Task("odd", "halve", {"number": 3})]):
        pass

    assert sorted(record.getMessage() for record in caplog.records) == [
        "even gave 1.0 within 0 s",
        "odd, attempt 1: ValueError('odd')",
        "odd, attempt 2: ValueError('odd')",
    ]


def test_handler_that_asks_for_its_attempt_is_called_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = _app_of("train_app.py", tmp_path, monkeypatch).handlers["train"].function

    assert train(3, Attempt()) == 3
    with pytest.raises(Stopped):
        train(3, Attempt(is_stopping=lambda: True))


def _app_of(name: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    (directory / name).write_text(Document("docs/handlers.md").files()[name])
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(directory)
    return load(str(directory / name))
