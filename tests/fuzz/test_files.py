"""Files of tasks: whatever is in them, each line is a task or is named in one sentence."""

from __future__ import annotations

import csv
import gzip
import io
import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz.strategies import bodies, is_sentence
from warrener.codec import encode_task, open_envelope
from warrener.errors import InvalidTask, UsageError
from warrener.sources import Line, read

_marks = st.text(st.sampled_from("ab1,\"\n\r\0\t;'=\u2028\ufeffä"), max_size=60)
encodings = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1", "utf-32"])
tables = (
    st.binary(max_size=200)
    | st.tuples(_marks, encodings).map(lambda pair: pair[0].encode(pair[1], "replace"))
    | st.tuples(_marks, st.binary(max_size=20)).map(lambda pair: b"a,b\n" + pair[0].encode() + pair[1])
)
lines = st.tuples(st.lists(bodies, max_size=6), st.sampled_from([b"\n", b"\r\n", b"\r", b"\n\n"])).map(
    lambda pair: pair[1].join(pair[0])
)
cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(tables)
@example(b"\xff,b\n1,2\n")
@example(b"a,b\n\xff,2\n")
@example(b"a,a\n1,2\n")
@example(b"a,\n1,2\n")
@example(b"a,b\n1\n1,2,3\n")
@example(b'a,b\n"1,2\n3,4\n')
@example(b"sep=;\na;b\n1;2\n")
@example(b"sep= \na b\n1 2\n")
@example(b"a|b\n1|\0\n")
@example(b'a,b\n"1"x,2\n3,4\n')
@example(b"a,b\r1,2\r\n3,4\n")
@example(b"a\n" + b"x" * 10_000_000 + b"\n")
@example(b'a\n"' + b"x" * 20_000_000)
@example(b'"' + b"x" * 20_000_000)
def test_csv_is_tasks_or_sentences(place: str, content: bytes) -> None:
    _read_both_ways(f"{place}/batch.csv", content)


@given(lines | tables)
@example(b'{"type": "t", "data": {"a": ' + b"[" * 5000 + b"]" * 5000 + b"}}\n{}")
@example(b'{"type": "t", "' + b"x" * 100_000 + b'": 1}\n')
@example(b'\xef\xbb\xbf{"type": "t"}\n')
@example(b'{"type": "t"}\r{"type": "t"}\r\n\0\n')
@example('{"type": "t"}'.encode("utf-16"))
@example('{"type": "t"}'.encode("utf-16") + b"x")
@example(gzip.compress(b'{"type": "t"}\n'))
@example(gzip.compress(b'{"type": "t"}\n')[:-3])
@example(b'[{"type": "t"}, 1, {"data": {"a": NaN, "b": "\\ud800"}}]')
@example(b'[{"type": "t"},]')
@example(b"[" * 5000 + b"]" * 5000)
@example(b"[" + b"1" * 5000 + b"]")
@example(b'{"data": {"a": ' + b"1" * 5000 + b"}, }")
@example(b'[{"type": "\xff"}]')
def test_jsonl_is_tasks_or_sentences(place: str, content: bytes) -> None:
    _read_both_ways(f"{place}/batch.jsonl", content)


@given(st.lists(cells, min_size=1, max_size=4, unique=True), st.data())
def test_csv_cells_come_back_as_they_were(place: str, columns: list[str], data: st.DataObject) -> None:
    columns = [
        f"c{column}c" for column in columns
    ]  # neither a byte order mark nor blanks are around the names
    rows = data.draw(st.lists(st.lists(cells, min_size=len(columns), max_size=len(columns)), max_size=4))
    rows = [row for row in rows if any(row)]
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([columns, *rows])
    Path(f"{place}/batch.csv").write_bytes(text.getvalue().encode())

    found = [task.data for _, task in read(f"{place}/batch.csv", task_type="t")]

    assert found == [dict(zip(columns, row, strict=True)) for row in rows]


def test_one_wrong_row_of_csv_is_left_out_alone(tmp_path: Path) -> None:
    file = tmp_path / "batch.csv"
    file.write_text('a,b\n1,2\n"3"x,4\n5,6\n')
    told: list[str] = []

    found = list(read(str(file), task_type="t", on_invalid=lambda line: told.append(line.sentence)))

    assert [line.number for line in found] == [2, 4]
    assert [sentence.partition(": ")[0] for sentence in told] == [f"{file}, line 3"]


def test_byte_order_mark_on_stdin_is_none_of_the_first_task(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(b'\xef\xbb\xbf{"type": "t"}\n')))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert [line.task.type for line in read("-")] == ["t"]


def test_file_that_breaks_while_it_is_read_is_said() -> None:
    if not Path("/proc/self/mem").exists():
        pytest.skip("only Linux has a file that opens and cannot be read")
    with pytest.raises(UsageError, match="/proc/self/mem cannot be read: Input/output error"):
        list(read("/proc/self/mem"))


@pytest.mark.parametrize("name", ["batch.csv", "batch.jsonl"])
def test_file_is_never_held_whole(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    text = "x" * 20_000
    row = f"{text}\n" if name.endswith("csv") else f'{{"data": {{"a": "{text}"}}}}\n'
    file.write_text(("a\n" if name.endswith("csv") else "") + row * 2_000)

    tracemalloc.start()
    count = sum(1 for _ in read(str(file), task_type="t"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == 2_000
    assert peak < file.stat().st_size / 5


def _read_both_ways(path: str, content: bytes) -> None:
    Path(path).write_bytes(content)
    strict: list[Line] = []
    told: list[str] = []
    try:
        found = list(read(path, task_type="t", on_invalid=lambda line: told.append(line.sentence)))
    except UsageError as error:
        assert not isinstance(error, InvalidTask)
        _check_sentence(path, str(error))
        return
    for sentence in told:
        _check_sentence(path, sentence)
    try:
        strict.extend(read(path, task_type="t"))
    except InvalidTask as error:
        assert str(error) == told[0]
    else:
        assert told == []
        assert strict == found
    for line in found:
        assert open_envelope(encode_task(line.task), "", None).id == line.task.id
    assert len({line.task.id for line in found}) == len(found)


def _check_sentence(path: str, sentence: str) -> None:
    assert sentence.startswith((f"{path}, line ", f"{path}, task ", f"{path}: ", f"{path} cannot be read: "))
    assert is_sentence(sentence.removeprefix(path)), sentence[:300]
