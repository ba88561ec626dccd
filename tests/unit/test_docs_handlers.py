"""The page about handlers, followed to the letter."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec

from tests.documents import Document
from warrener import App, testing
from warrener.codec import decode_task
from warrener.loader import load

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

PAGE = Document("docs/handlers.md")


def app_of(name: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    (directory / name).write_text(PAGE.files()[name])
    monkeypatch.setattr(sys, "path", [*sys.path])
    return load(str(directory / name))


def test_values_are_read_and_written_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = app_of("values_app.py", tmp_path, monkeypatch)
    (line,) = PAGE.blocks("json")

    with testing.run(app, [decode_task(line.encode(), identify=lambda *_: "t")]) as batch:
        value = batch.results["t"].value

    assert f"`{msgspec.json.encode(value).decode()}`" in PAGE.text
