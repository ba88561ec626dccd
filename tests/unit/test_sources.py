from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from warrener.errors import InvalidTask, UsageError
from warrener.sources import InvalidLine, count_lines, read

if TYPE_CHECKING:
    from pathlib import Path


def ids(path: Path, *, task_type: str = "") -> list[str]:
    """Those of the tasks in a file."""
    return [task.id for _, task in read(str(path), task_type=task_type)]


def test_tasks_know_where_they_stand_and_keep_ids_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "batch.jsonl"
    file.write_text('{"type": "a"}\n\n{"type": "b", "id": "own", "priority": 7}\n')
    first, second = read(str(file))
    assert (first.number, first.task.origin, first.task.type) == (1, "batch.jsonl:1", "a")
    assert (second.number, second.task.origin, second.task.id, second.task.priority) == (
        3,
        "batch.jsonl:3",
        "own",
        7,
    )


def test_ids_are_made_from_content_and_from_nothing_else(tmp_path: Path) -> None:
    file, other = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    lines = [f'{{"type": "t", "data": {{"n": {n}, "s": "x"}}}}\n' for n in range(4)]
    file.write_text("".join(lines))
    other.write_text("".join(['{"type": "t", "data": {"s": "x", "n": 9}}\n', *reversed(lines)]))
    assert len({*ids(file)}) == 4
    assert {*ids(other)} > {*ids(file)}


def test_repeats_are_told_apart_by_a_number(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"type": "t"}\n{"type": "u"}\n{"type": "t"}\n{"type": "t"}\n')
    first, other, second, third = ids(file)
    assert (second, third) == (f"{first}-2", f"{first}-3")
    assert other not in {first, second, third}


def test_csv_and_jsonl_with_the_same_values_have_the_same_ids(tmp_path: Path) -> None:
    table, lines = tmp_path / "a.csv", tmp_path / "a.jsonl"
    table.write_text("n,on,s,none\n1,true,x,\n2.5,false,y,\n")
    lines.write_text(
        '{"data": {"n": 1, "on": true, "s": "x", "none": null}}\n'
        '{"data": {"n": 2.5, "on": false, "s": "y", "none": null}}\n'
    )
    assert ids(table, task_type="t") == ids(lines, task_type="t")


def test_same_words_in_another_namespace_are_other_tasks(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"type": "t"}\n')
    one, other = (next(iter(read(str(file), namespace=name))).task for name in ("mon", "tue"))
    assert one.id != other.id
    assert one.wording == other.wording


def test_csv_columns_are_data(tmp_path: Path) -> None:
    file = tmp_path / "batch.csv"
    file.write_text('name,note\nx,"two\nlines"\ny,z\n')
    tasks = [task for _, task in read(str(file), task_type="t")]
    assert [task.data for task in tasks] == [{"name": "x", "note": "two\nlines"}, {"name": "y", "note": "z"}]
    assert [task.origin for task in tasks] == ["batch.csv:3", "batch.csv:4"]


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
    left_out: list[InvalidLine] = []
    assert list(read(str(file), task_type="t", on_invalid=left_out.append))
    assert len(left_out) == 1


def test_unreadable_files_are_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        list(read(str(tmp_path / "none.jsonl")))
    (tmp_path / "data.csv").write_text("a\n1\n")
    with pytest.raises(UsageError, match="--type-column"):
        list(read(str(tmp_path / "data.csv")))
    with pytest.raises(UsageError, match="it is a directory"):
        list(read(str(tmp_path)))


def test_lines_are_counted_where_they_can_be(tmp_path: Path) -> None:
    for name, content, count in [
        ("a.jsonl", b"{}\n{}", 2),
        ("a.tsv", b"a\n1\n", 1),
        ("a.json", b" [{},\n{}]", None),
        ("a.gz", gzip.compress(b"{}\n"), None),
        ("empty", b"", 0),
    ]:
        (tmp_path / name).write_bytes(content)
        assert count_lines(str(tmp_path / name)) == count
