"""A table of failures, after somebody has worked on it in a spreadsheet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from warrener.errors import InvalidTask, UsageError
from warrener.sources import read

if TYPE_CHECKING:
    from pathlib import Path

    from warrener.models import Task


def tasks(path: Path, text: str, task_type: str = "") -> list[Task]:
    file = path / "failed.csv"
    file.write_text(text)
    return [line.task for line in read(str(file), task_type=task_type)]


def value(path: Path, cell: str) -> Any:
    """What a cell says that had JSON."""
    (task,) = tasks(path, f'a,_warrener_type,_warrener_json\n{cell},t,"[""a""]"\n')
    return task.data.get("a", "absent")


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("17", 17),
        ("TRUE", True),
        ("null", None),
        ("eu", "eu"),
        ("", "absent"),
        ('""""""', ""),
        ('"[1, 2]"', [1, 2]),
        ("2026-11-26", "2026-11-26"),
    ],
)
def test_cell_that_had_json_may_have_other_words(tmp_path: Path, cell: str, said: object) -> None:
    assert value(tmp_path, cell) == said


@pytest.mark.parametrize("cell", ['"[1, 2"', "{a}", '"""a"'])
def test_json_with_a_slip_is_refused(tmp_path: Path, cell: str) -> None:
    with pytest.raises(InvalidTask, match=r"failed\.csv, line 2: column 'a' is no JSON any more"):
        value(tmp_path, cell)


@pytest.mark.parametrize("column", ["_warrener_json", "_warrener_data", "_warrener_priority"])
def test_own_column_that_is_not_as_it_was_is_named(tmp_path: Path, column: str) -> None:
    with pytest.raises(InvalidTask, match=f"line 2: column '{column}' is not as it was written"):
        tasks(tmp_path, f"a,_warrener_type,{column}\n1,t,x\n")


def test_id_type_and_priority_are_the_tasks_and_the_rest_is_ignored(tmp_path: Path) -> None:
    text = (
        "n,_warrener_id,_warrener_type,_warrener_priority,_warrener_error,_warrener_new\n"
        "1,a,resize,9,ValueError,x\n"
        "2,,,,,\n"
    )
    first, second = tasks(tmp_path, text, "crop")
    assert (first.id, first.type, first.priority, first.data) == ("a", "resize", 9, {"n": "1"})
    assert (second.type, second.priority, second.data) == ("crop", 5, {"n": "2"})
    assert second.id
    assert (first.origin, second.origin) == ("failed.csv:2", "failed.csv:3")


def test_type_that_nothing_says_is_missed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="say the tasks' type with --type"):
        tasks(tmp_path, "n,_warrener_id\n1,a\n")
    with pytest.raises(InvalidTask, match='line 2: "type" is empty'):
        tasks(tmp_path, "n,_warrener_type\n1,\n")
