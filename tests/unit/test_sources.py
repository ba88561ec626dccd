from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from warrener.errors import InvalidTask, UsageError
from warrener.models import Task
from warrener.sources import read

if TYPE_CHECKING:
    from pathlib import Path


def test_ids_come_from_the_file_and_the_line(tmp_path: Path) -> None:
    file = tmp_path / "batch.jsonl"
    file.write_text('{"type": "a"}\n\n{"type": "b", "id": "own", "priority": 7}\n')
    assert list(read(str(file))) == [(1, Task("batch-1", "a")), (3, Task("own", "b", {}, 7))]
    assert list(read(str(file), start_line=2)) == [(3, Task("own", "b", {}, 7))]


def test_csv_columns_are_data(tmp_path: Path) -> None:
    file = tmp_path / "batch.csv"
    file.write_text('name,note\nx,"two\nlines"\ny,z\n')
    tasks = [task for _, task in read(str(file), task_type="t")]
    assert [task.data for task in tasks] == [{"name": "x", "note": "two\nlines"}, {"name": "y", "note": "z"}]
    assert [task.id for task in tasks] == ["batch-3", "batch-4"]


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.jsonl", b'{"type": "t"}\nnope\n', 2),
        ("a.jsonl", b'{"type": "t"}\n{"type": "\xff"}\n', 2),
        ("a.jsonl", b'{"type": "t", "id": "x"}\n{"type": "t", "id": "x"}\n', 2),
        ("a.csv", b"a,b\n1\n", 2),
        ("a.csv", b"a,b\n1,\xff\n", 2),
    ],
)
def test_bad_line_is_named_or_left_out(tmp_path: Path, name: str, content: bytes, line: int) -> None:
    file = tmp_path / name
    file.write_bytes(content + (b'{"type": "t"}\n' if name.endswith("jsonl") else b"3,4\n"))
    with pytest.raises(InvalidTask, match=f"{name}, line {line}: "):
        list(read(str(file), task_type="t"))
    left_out: list[str] = []
    assert list(read(str(file), task_type="t", on_invalid=left_out.append))
    assert len(left_out) == 1


def test_unreadable_files_are_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        list(read(str(tmp_path / "none.jsonl")))
    with pytest.raises(UsageError, match="--type"):
        list(read(str(tmp_path / "none.csv")))
