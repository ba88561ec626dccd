from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from warrener import App, Task
from warrener.errors import AppError, InvalidTask, UsageError
from warrener.loader import load

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Size:
    width: int
    height: int = 1


def bound(function: Any, data: bytes) -> dict[str, Any]:
    app = App()
    app.task("t")(function)
    return app.handlers["t"].bind("id", "t", 5, data)


def test_data_becomes_arguments_with_defaults() -> None:
    def handler(file: str, size: Size, width: int = 200) -> None: ...

    handler.__annotations__ = {"file": str, "size": Size, "width": int}
    assert bound(handler, b'{"file": "a", "size": {"width": 3}}') == {
        "file": "a",
        "size": Size(3),
        "width": 200,
    }


def test_text_from_csv_becomes_numbers() -> None:
    def handler(width: int, ratio: float, deep: bool) -> None: ...

    assert bound(handler, b'{"width": "3", "ratio": "0.5", "deep": "true"}') == {
        "width": 3,
        "ratio": 0.5,
        "deep": True,
    }


@pytest.mark.parametrize(
    "data", [b'{"width": "wide"}', b"{}", b'{"width": 1, "depth": 2}', b'{"width": "\xff"}']
)
def test_data_that_does_not_fit_is_invalid(data: bytes) -> None:
    def handler(width: int) -> None: ...

    with pytest.raises(InvalidTask, match="does not fit handler 't'"):
        bound(handler, data)


def test_task_parameter_gets_the_whole_record() -> None:
    def handler(task: Task) -> None: ...

    assert bound(handler, b'{"any": 1}') == {"task": Task("id", "t", {"any": 1}, 5)}


def test_rest_goes_to_keyword_arguments() -> None:
    def handler(width: int, **rest: Any) -> None: ...

    assert bound(handler, b'{"width": 1, "other": [2]}') == {"width": 1, "other": [2]}


def test_two_handlers_of_one_type_are_refused() -> None:
    app = App()
    app.task("t")(lambda: None)
    with pytest.raises(AppError, match="two handlers"):
        app.task("t")(lambda: None)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(UsageError, match="timeout"):
        App(timeout=0)
    with pytest.raises(UsageError, match="retries"):
        App(retries=-1)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1 +", "does not import: SyntaxError"),
        ("import nothing_like_this", "No module named 'nothing_like_this'"),
        ("raise ValueError('no')", "does not import: ValueError: no"),
        ("import sys; sys.exit(3)", r"calls exit\(3\)"),
        ("x = 1", "has no App"),
        ("import warrener; a = warrener.App()", "has no handlers"),
        ("import warrener; a = warrener.App(); b = warrener.App()", "has 2 Apps"),
        ("import warrener; a = warrener.App()\n@a.task\ndef f(*args): ...", "by position"),
        ("import warrener; a = warrener.App()\n@a.task\ndef f():\n  yield 1", "generator"),
    ],
)
def test_app_that_cannot_be_used_says_why(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "broken_app.py"
    file.write_text(text)
    with pytest.raises(AppError, match=why):
        load(str(file))


def test_missing_app_says_so() -> None:
    with pytest.raises(AppError, match="does not exist"):
        load("nowhere.py")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("nowhere", "there is no module 'nowhere' here; give module, module:name, file.py or file.py:name"),
        ("no.where:app", "there is no module 'no.where' here"),
        ("./app", "there is no module './app' here; for the file write app.py"),
        ("./nowhere", "there is no module './nowhere' here"),
        ("tasks.jsonl", "a file of tasks: the app comes first, as in `warrener run app.py tasks.jsonl`"),
        ("tasks.csv", "a file of tasks"),
        ("-", "a file of tasks"),
        ("app.ipynb", "is a notebook, which cannot be imported: save its code as app.py"),
        ("pkg/", "'pkg/' is a directory: give a file in it, pkg/app.py"),
        ("pkg", "'pkg' is a directory"),
        ("README.md", "'README.md' is no Python file"),
        ("", "there is no module ''"),
        ("x" * 300, "there is no module"),
        (".app", "there is no module '.app'"),
    ],
)
def test_what_is_no_app_is_said_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, why: str
) -> None:
    (tmp_path / "pkg").mkdir()
    for name in ("app.py", "app.ipynb", "tasks.jsonl", "README.md"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    with pytest.raises(AppError) as caught:
        load(given)

    assert why in str(caught.value)
