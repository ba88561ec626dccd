"""Which queue is meant where none is named."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from warrener.address import Address
from warrener.cli import finding
from warrener.cli.finding import embedded_queues, found
from warrener.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


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


def _have(monkeypatch: pytest.MonkeyPatch, *names: str) -> Address:
    async def there(_: Address) -> list[str]:
        return list(names)

    monkeypatch.setattr(finding, "queues_on", there)
    return Address("amqp://host")


def test_default_one_of_several_is_named_when_it_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    address = _have(monkeypatch, "images", "work-queue", "pages")
    assert found(address).queue == "work-queue"
    assert "queue 'work-queue', the default one of 3 on" in capsys.readouterr().err


def test_none_of_several_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    address = _have(monkeypatch, "images", "work-queue", "pages")
    with pytest.raises(
        UsageError, match=r"has 3 queues: say which one with --queue \(images, pages, work-queue\)"
    ):
        found(address, for_change=True)


@pytest.mark.parametrize("for_change", [False, True])
def test_only_one_is_meant(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, for_change: bool
) -> None:
    assert found(_have(monkeypatch, "images"), for_change=for_change).queue == "images"
    assert not capsys.readouterr().err
