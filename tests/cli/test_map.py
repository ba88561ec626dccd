"""`warrener map`: one task for each item."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from warrener.cli.items import Items
from warrener.errors import UsageError
from warrener.worker.manifest import AppManifest, HandlerRules

if TYPE_CHECKING:
    from pathlib import Path

    from tests.place import Place

APP = """
from warrener import App

app = App()

@app.task
def size(file: str, unit: int = 1) -> int:
    with open("ran", "a") as lines:
        print(file, file=lines)
    return len(file) * unit
"""


def test_files_and_lines_are_items_and_run_once(place: Place) -> None:
    (place.path / "app.py").write_text(APP)
    (place.path / "images" / "more").mkdir(parents=True)
    for name in ("b.jpg", "a.jpg", "notes.txt", "more/c.jpg"):
        (place.path / "images" / name).touch()

    done = place.warrener("map", "app.py:size", "images/*.jpg", "-o", "out.jsonl")
    assert done.returncode == 0, done.stderr
    assert {(row["origin"], row["value"]) for row in place.rows("out.jsonl")} == {
        ("images/a.jpg", 12),
        ("images/b.jpg", 12),
    }

    words = ("images/**/*.jpg", "-", "-o", "out.jsonl")
    done = place.warrener("map", "app.py:size", *words, text="one line\n\nimages/z\n")
    assert done.returncode == 0, done.stderr
    origins = {"images/a.jpg", "images/b.jpg", "images/more/c.jpg", "one line", "images/z"}
    assert {row["origin"] for row in place.rows("out.jsonl")} == origins
    assert sorted((place.path / "ran").read_text().splitlines()) == sorted(origins)
    assert (place.path / ".warrener" / "size.db").exists()

    assert "names no handler" in place.warrener("map", "app.py", "x").stderr
    done = place.warrener("map", "app.py:sise", "x")
    assert done.returncode == 2
    assert done.stderr == "warrener: app.py has no handler 'sise'; give one of app.py:size\n"


def found(items: Items, *required: str) -> list[str]:
    """The items as they are given to handlers."""
    manifest = AppManifest({"f": HandlerRules(0, 1, None, required), "g": HandlerRules(0, 1, None)})
    return [line.task.data[required[0]] for line in items.lines(manifest)]


def test_what_is_named_twice_is_two_items_and_what_is_found_twice_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "[x]"):
        (tmp_path / name).touch()
    items = Items("app.py", "f", ("6", "6", "a", "?", "*", "[x]"))
    assert found(items, "n") == ["6", "6", "a", "b", "[x]", "[x]"]
    items.check_apart("c")
    with pytest.raises(UsageError, match="b is among the items"):
        items.check_apart("./b".removeprefix("./"))


@pytest.mark.parametrize(
    ("handler", "required", "why"),
    [
        ("f", ("a", "b"), "handler 'f' takes a and b, and an item is one value"),
        ("f", (), "handler 'f' takes no argument"),
        ("h", ("a",), "has no handler 'h'; give one of app.py:f, app.py:g"),
    ],
)
def test_handlers_that_take_no_item_are_refused(handler: str, required: tuple[str, ...], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        found(Items("app.py", handler, ("x",)), *required)


def test_pattern_that_finds_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"no file matches 'https://host/\?page=1' in .*on stdin"):
        Items("app.py", "f", ("https://host/?page=1",))


def test_command_has_an_item_or_a_task_as_words(place: Place) -> None:
    (place.path / "a b.txt").write_text("12345")

    done = place.warrener("map", "--shell", "--exec", "wc -c < {data.item}", "*.txt", "-o", "out.jsonl")
    assert done.returncode == 0, done.stderr
    assert [(row["origin"], row["value"]) for row in place.rows("out.jsonl")] == [("a b.txt", 5)]

    tasks = place.tasks([{"id": "t", "data": {"text": "$(date) 'x'"}}])
    done = place.warrener(
        "run", "--exec", "printf %s {data.text}", tasks, "--retries", "0", "--processes", "1"
    )
    assert done.returncode == 1
    assert "$(date) 'x'\n" in done.stderr
    done = place.warrener("failures", "show", "t", "--queue", "tasks")
    assert "CommandRefused: the command's output is no JSON" in done.stdout
    assert "  > $(date) 'x'\n" in done.stdout
    assert "Traceback" not in done.stdout

    done = place.warrener("run", "--exec", "printf {text}", tasks)
    assert done.returncode == 2
    assert "the command asks for {text}, and there are {data.NAME}" in done.stderr
