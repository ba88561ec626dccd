"""JSON as programs and people write it: read, or named as what it is."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from warrener.errors import InvalidTask, UsageError
from warrener.sources import array as array_module
from warrener.sources import read

if TYPE_CHECKING:
    from pathlib import Path

TWO = '{"type": "t", "id": "é"}\n{"type": "t", "id": "b"}\n'


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.jsonl.gz", "a"])
@pytest.mark.parametrize(
    "content",
    [
        TWO.encode(),
        TWO.encode("utf-8-sig"),
        TWO.encode("utf-16"),
        TWO.encode("utf-32"),
        TWO.replace("\n", "\n\ufeff").encode(),
        TWO.replace("\n", "\r\n \r\n").encode(),
        gzip.compress(TWO.encode(), mtime=0),
        gzip.compress(TWO.encode("utf-16"), mtime=0),
        '[{"type": "t", "id": "é"}, {"type": "t", "id": "b"}]'.encode(),
        '\n[\n  {\n    "type": "t",\n    "id": "é"\n  },\n  {"type": "t", "id": "b"}\n]\n'.encode(),
    ],
)
def test_same_tasks_whatever_packs_or_encodes_them(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    found = list(read(str(tmp_path / name), on_invalid=lambda line: _is_blank(line.text)))
    assert [line.task.id for line in found] == ["é", "b"]


def _is_blank(text: str) -> None:
    assert not text.strip("\ufeff")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"# tasks\n", "this is a comment"),
        (b"// tasks\n", "this is a comment"),
        (b'{"type": "t"},\n', "a comma follows the object"),
        (b'{"type": "t",}\n', "a comma stands before a bracket that closes"),
        (b'{"type": "t"}{"type": "u"}\n', "several objects stand on this line; `jq -c .`"),
        (b"{'type': 't'}\n", "Python's notation"),
        (b'{"type": "t", "data": {"x": True}}\n', "Python's notation"),
        (b'{"type": "t", "data": {"x": NaN}}\n', "NaN is no JSON"),
        (b'{"type": "t", "data": {"x": "\\ud83d"}}\n', "a lone surrogate"),
        (b'{"type": "t", "data": {"x": 1e400}}\n', "too large for a double"),
        (b'{"type": "caf\xe9"}\n', "no UTF-8; if it is Latin-1, `iconv"),
        (b"\0\0\0\0\n", "NUL bytes"),
        (b"{\n", "goes on after this line; `jq -c .`"),
        (b'{"type": "t', "the file ends within this line"),
        (b"file,unit\n", "a table needs a name that ends in .csv or .tsv, or --delimiter"),
        (b'{"data": {"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}\n", "it nests too deep"),
        (b'{"data": {"x": ' + b"[" * 900 + b"]" * 900 + b"}}\n", "it nests too deep"),
    ],
)
def test_line_that_is_no_json_is_named_as_what_it_is(tmp_path: Path, line: bytes, reason: str) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'{"type": "t"}\n' + line)
    with pytest.raises(InvalidTask, match=r"a\.jsonl, line 2: ") as caught:
        list(read(str(file), task_type="t"))
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            TWO.encode("utf-16-le").replace(b"\xe9", b"e"),
            "UTF-16 without a byte order mark.*iconv -f UTF-16LE",
        ),
        (TWO.encode("utf-16-be"), "UTF-16 without a byte order mark.*iconv -f UTF-16BE"),
        (TWO.encode("utf-16") + b"x", "it begins as UTF-16"),
        (gzip.compress(TWO.encode(), mtime=0)[:-9], "damaged or cut short"),
        (gzip.compress(TWO.encode(), mtime=0)[:12] + b"\xff" * 20, "damaged or cut short"),
        (b"PK\x03\x04...", "save the sheet as CSV"),
        (b"PAR1...", "a Parquet file"),
        (b"\x28\xb5\x2f\xfd...", "zstd"),
        (b'[\n{"type": "t"},\n]', "line [23]: .*a comma stands before a bracket"),
        (b'[\n{"type": "t"},\n{"typ', "line 3: .*the file ends within"),
        (b"[\n{'type': 't'}]", "line 2: .*Python's notation"),
        (b'[{"type": "caf\xe9"}]', "no UTF-8"),
        (b'[{"data": ' + b"1" * 5000 + b', "x": "\\ud800"}]', "cannot be read: "),
    ],
)
def test_file_that_cannot_be_read_is_named_as_what_it_is(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=f"a.jsonl.*{reason}"):
        list(read(str(file)))


def test_only_its_own_task_in_an_array_is_to_blame(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text('[{"type": "t"}, 3, {"type": "t",\n"data": {"x": "\\ud800"}}, {"type": "u"}]')
    told: list[str] = []
    found = list(read(str(file), on_invalid=lambda line: told.append(line.sentence)))
    assert [(line.number, line.task.type, line.task.origin) for line in found] == [
        (1, "t", "a.json:1"),
        (4, "u", "a.json:4"),
    ]
    assert [sentence.partition(": ")[0] for sentence in told] == [f"{file}, task 2", f"{file}, task 3"]


def test_array_that_is_too_long_to_be_held_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.json"
    file.write_text('[{"type": "t"}, {"type": "t"}]')
    monkeypatch.setattr(array_module, "MAX_ARRAY", 20)
    with pytest.raises(UsageError, match="make it JSONL with `jq -c"):
        list(read(str(file)))
