"""Tables as spreadsheets, exports and people write them."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from warrener.errors import InvalidTask, UsageError
from warrener.sources import InvalidLine, TableOptions, read

if TYPE_CHECKING:
    from pathlib import Path

    from warrener.models import Task


def tasks(file: Path, *options: str, task_type: str = "t") -> list[Task]:
    """Those in a table."""
    return [line.task for line in read(str(file), task_type=task_type, table=TableOptions(*options))]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"file;unit\nx.png;2,5\n"),
        ("a.csv", b"file\tunit\nx.png\t2,5\n"),
        ("a.csv", b"file|unit\nx.png|2,5\n"),
        ("a.csv", b'"file";"unit"\n"x.png";"2,5"\n'),
        ("a.CSV", b"sep=;\r\nfile;unit\r\nx.png;2,5\r\n"),
        ("a.csv", b'"sep=|"\r\nfile|unit\r\nx.png|2,5\r\n'),
        ("a.csv", b'file,unit\nx.png,"2,5"\n'),
        ("a.tsv", b"file\tunit\nx.png\t2,5\n"),
        ("a.tab", b"file\tunit\nx.png\t2,5\n"),
        ("a.csv.gz", gzip.compress(b"file;unit\nx.png;2,5\n", mtime=0)),
        ("a.csv", gzip.compress(b"file;unit\nx.png;2,5\n", mtime=0)),
        ("a.csv", "file;unit\nx.png;2,5\n".encode("utf-16")),
        ("a.csv", "file;unit\nx.png;2,5\n".encode("utf-8-sig")),
    ],
)
def test_rows_are_read_whatever_separates_packs_or_encodes_them(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    assert [task.data for task in tasks(tmp_path / name)] == [{"file": "x.png", "unit": "2,5"}]


def test_comma_within_quotes_does_not_separate_names(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text('"size, unit";file\n"1, m";x\n')
    assert [task.data for task in tasks(file)] == [{"size, unit": "1, m", "file": "x"}]


def test_delimiter_that_is_given_makes_any_file_a_table(tmp_path: Path) -> None:
    file = tmp_path / "export.txt"
    file.write_text("a:b,c\n1:2\n")
    assert [task.data for task in tasks(file, ":")] == [{"a": "1", "b,c": "2"}]


def test_columns_give_id_priority_and_type_and_are_no_data(tmp_path: Path) -> None:
    file, other = tmp_path / "a.csv", tmp_path / "a.jsonl"
    file.write_text("name,p,kind,x\none,9,u,1\ntwo,,,2\n")
    found = tasks(file, "", "name", "p", "kind")
    assert [(task.id, task.priority, task.type, task.data) for task in found] == [
        ("one", 9, "u", {"x": "1"}),
        ("two", 5, "t", {"x": "2"}),
    ]
    file.write_text("p,kind,x\n9,u,1\n")
    other.write_text('{"type": "u", "data": {"x": 1}}\n')
    assert tasks(file, "", "", "p", "kind")[0].id == next(iter(read(str(other)))).task.id


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",1,t,x", "column 'name', the id, is empty"),
        ("a,ten,t,x", "the priority must be a whole number from 0 to 9, not 'ten'"),
        ("a,10,t,x", '"priority" must be from 0 to 9, not 10'),
        ("a," + "1" * 5000 + ",t,x", "the priority must be a whole number from 0 to 9"),
        ("a,1,,x", '"type" is empty'),
        ("a,1,t", "3 values for 4 columns"),
        ("a,1,t,\0", "NUL bytes"),
        ('a,1,t,"x \\"y\\""', "a quote within quotes is written twice"),
        ('a,1,t,"x', "a quote that opens on line 2 or later is never closed"),
        ("a,1,t,\udce9", "this is no UTF-8; if it is Latin-1, `iconv"),
    ],
)
def test_row_that_is_no_task_is_left_out_with_its_reason_and_its_text(
    tmp_path: Path, row: str, reason: str
) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(f"name,p,kind,x\n{row}\n".encode("utf-8", "surrogateescape"))
    table, told = TableOptions("", "name", "p", "kind"), list[InvalidLine]()

    assert list(read(str(file), table=table, on_invalid=told.append)) == []

    assert [(line.header, line.text) for line in told] == [("name,p,kind,x\n", f"{row}\n")]
    assert told[0].sentence.startswith(f"{file}, line 2: ")
    assert reason in told[0].sentence
    with pytest.raises(InvalidTask):
        list(read(str(file), table=table))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the names of the columns are expected here, and it is empty"),
        (b"a,a\n", "column 'a' is there twice"),
        (b"a,b,\n1,2,\n", "column 3 has no name"),
        (b'a, b\n1, "2,3"\n', "blanks stand around the name of column ' b'"),
        (b"a\0\n", "NUL bytes"),
        (b"caf\xe9\n", "no UTF-8"),
    ],
)
def test_header_that_names_no_columns_is_said(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=f"a.csv, line 1: .*{reason}"):
        tasks(file)


def test_column_that_is_not_there_is_said(tmp_path: Path) -> None:
    file, lines = tmp_path / "a.csv", tmp_path / "a.jsonl"
    file.write_text("a,b\n1,2\n")
    lines.write_text("{}\n")
    with pytest.raises(UsageError, match="there is no column 'id'; there are 'a', 'b'"):
        tasks(file, "", "id")
    with pytest.raises(UsageError, match="column 'a' can be only one of"):
        tasks(file, "", "a", "a")
    with pytest.raises(UsageError, match="only a table has columns"):
        tasks(lines, "", "id")
