"""Whatever strangers put into a queue, a real worker makes of each message one row or one failure."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import struct
from typing import TYPE_CHECKING, Any, Final

import pika
import pytest
from pika.data import encode_table

from tests.batch import APP, failures, publish
from tests.fuzz.strategies import ODD_JSON
from tests.fuzz.test_headers import NESTED
from tests.place import Place
from warrener.brokers import connect

if TYPE_CHECKING:
    from pathlib import Path

    from warrener.address import Address

SEEDS: Final = range(200 if os.environ.get("WARRENER_FUZZ") == "long" else 1)
# So many messages at first pika can read.
_READABLE: Final = 30
_TYPES: Final = ["echo", "echo", "permanent", "fail", "nobody", "whole"]
_RECORDS: Final = [
    '{"attempts": 7}',
    '{"attempts": -7}',
    '{"attempts": 1' + "0" * 30 + "}",
    '{"attempts": 1, "lost": 3}',
    '{"attempts": 3, "lost": 3, "history": [{"number": 3, "error": "WorkerLost"}]}',
    '{"history": 5}',
    '{"history": [{"number": 1, "error": "' + "x" * 100_000 + '"}]}',
    '{"history": [{"number": 1, "error": "E", "message": "' + "\\u0000" * 15_000 + '"}]}',
    '{"reason": "crashed", "failed_at": 1e300}',
    '{"reason": "crashed", "failed_at": 1e18, "history": [{"number": 1, "error": "E", "started_at": -1e300}]}',
    '{"reason": "nonsense"}',
    "[" * 5000,
    "",
]
_VALUES: Final[list[Any]] = [None, True, -1, 2**40, b"\xff", "text", [1, [b"x"]], {"a": {"b": None}}]
# Fields that pika itself cannot write: a time beyond the calendar, text that is none, a table of a thousand tables.
_RAW: Final = [
    b"\4timeT" + struct.pack(">Q", 2**63),
    b"\x08warrenerS\0\0\0\2\xff\xfe",
    b"\2\xff\xfeV",
    b"\6nestedF" + struct.pack(">I", 7 + len(NESTED)) + b"\6nested" + NESTED,
]


class _Raw(pika.BasicProperties):  # type: ignore[misc]
    """Properties with headers that are written as they are."""

    def __init__(self, table: bytes, message_id: bytes, priority: int) -> None:
        super().__init__()
        self._table = table
        self._message_id = message_id
        self._priority = priority

    def encode(self) -> list[bytes]:
        flags = self.FLAG_HEADERS | self.FLAG_PRIORITY | self.FLAG_MESSAGE_ID
        name = bytes([len(self._message_id)]) + self._message_id
        table = struct.pack(">I", len(self._table)) + self._table
        return [struct.pack(">H", flags), table, bytes([self._priority]), name]


@pytest.mark.parametrize("seed", SEEDS)
async def test_every_message_of_strangers_on_rabbitmq_ends(
    rabbit_address: Address, tmp_path: Path, seed: int
) -> None:
    odds = random.Random(seed)
    await publish(rabbit_address, [])
    outcomes = f"{rabbit_address.queue}.outcomes"
    places = {
        "work": (rabbit_address.queue, "work"),
        "results": (outcomes, "results"),
        "failed": (outcomes, "failed"),
    }
    published = dict.fromkeys(places, 0)
    with pika.BlockingConnection(pika.URLParameters(rabbit_address.broker)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for number in range(300):
            where = odds.choice(["work", "work", "results", "failed"])
            body = _row(odds, number) if where == "results" else _body(odds, number)
            channel.basic_publish(*places[where], body, _properties(odds, number), mandatory=True)
            published[where] += 1
            if number == _READABLE:
                while channel.basic_get(rabbit_address.queue)[0]:
                    pass
                channel.basic_nack(
                    0, multiple=True, requeue=True
                )  # these come again, which makes a worker look at more of them

    await _all_end(rabbit_address, tmp_path, published)


@pytest.mark.parametrize("seed", SEEDS)
async def test_every_row_of_strangers_in_a_file_ends(
    sqlite_address: Address, tmp_path: Path, seed: int
) -> None:
    odds = random.Random(seed)
    await publish(sqlite_address, [])
    published = {"work": 0, "results": 0, "failed": 0}
    with sqlite3.connect(sqlite_address.path) as other:
        for number in range(300):
            where = odds.choice(["work", "work", "results", "failed"])
            published[where] += 1
            if where == "results":
                other.execute("INSERT INTO results (body) VALUES (?)", (_cell(odds, _row(odds, number)),))
                continue
            message_id: Any = odds.choice([f"m{number}", b"\xff", b"id", number, 1.5, "", "\n\x1b"])
            record = _cell(odds, odds.choice(_RECORDS).encode())
            row = [_cell(odds, _body(odds, number)), message_id, odds.choice([5, -5, 10**18, "high", b"9"])]
            row.append(odds.choice([None, record, 5]))
            if where == "failed":
                other.execute("INSERT INTO failures (body, id, priority, record) VALUES (?, ?, ?, ?)", row)
            else:
                row.append(odds.choice([0, 0, 1, -1, 10**18, "many"]))
                other.execute(
                    "INSERT INTO tasks (body, id, priority, record, lost) VALUES (?, ?, ?, ?, ?)", row
                )
        # Text that is none can only be made inside of SQLite.
        for table in ("tasks", "failures"):
            other.execute(
                f"UPDATE {table} SET id = CAST(x'ff41' AS TEXT), record = CAST(x'ff' AS TEXT) WHERE seq % 10 = 0"  # noqa: S608 - tables of ours
            )
        other.execute("UPDATE results SET body = CAST(x'ff' AS TEXT) WHERE seq % 10 = 0")
    other.close()

    await _all_end(sqlite_address, tmp_path, published)


async def _all_end(address: Address, path: Path, published: dict[str, int]) -> None:
    with Place(path, address) as place:
        worked = place.warrener("work", APP, "--drain", "--processes", "1")

        assert worked.returncode == 0, worked.stderr[-2000:]
        assert "Traceback" not in worked.stderr
        assert "connecting again" not in worked.stderr
        async with connect(address) as broker:
            counts = await broker.counts()
            rows = [row async for batch in broker.results() for row in batch]
            failed = [task async for task in broker.failures()]
        assert counts.waiting == 0
        assert len(rows) - published["results"] + len(failed) - published["failed"] == published["work"]
        assert (counts.completed, counts.failed) == (len(rows), len(failed))
        found = await failures(address)
        shown = [name for name in found if name.isprintable() and not name.startswith("-")]
        for words, code in (
            (["results", "-o", "out.jsonl"], 1),
            (["results", "--format", "csv"], 1),
            (["failures", "list"], 0),
            (["failures", "export", "-o", "failures.jsonl"], 0),
            (["failures", "show", shown[0]], 0),
            (["failures", "show", "--json", shown[-1]], 0),
            (["status"], 0),
            (["failures", "retry"], 0),
            (["work", APP, "--drain", "--processes", "1"], 0),
        ):
            done = place.warrener(*words)
            assert done.returncode == code, (words, done.stderr[-2000:])
            assert "Traceback" not in done.stderr, words
        assert (path / "out.jsonl").read_bytes().count(b"\n") > 1
        assert (path / "failures.jsonl").read_bytes().count(b"\n") == len(found)


def _body(odds: random.Random, number: int) -> bytes:
    members = {"id": f'"t{number}"', "type": f'"{odds.choice(_TYPES)}"', "priority": "3", "data": "{}"}
    for name in odds.sample([*members, "other"], odds.choice([0, 0, 1, 1, 2])):
        members[name] = odds.choice(ODD_JSON)
    for name in odds.sample([*members], odds.choice([0, 0, 1])):
        members.pop(name)
    body = ("{" + ", ".join(f'"{name}": {value}' for name, value in members.items()) + "}").encode()
    return odds.choice([body] * 8 + [body[: len(body) // 2], odds.randbytes(20)])


def _row(odds: random.Random, number: int) -> bytes:
    row = json.dumps(
        {"task_id": f"r{number}", "attempts": odds.choice([1, 3])}, indent=odds.choice([None, 1])
    )
    odd = f'{{"task_id": "o{number}", "{odds.choice(["value", "attempts", "worker"])}": {odds.choice(ODD_JSON)}}}'
    return odds.choice([row.encode(), odd.encode(), odd.encode()[:-2], odds.randbytes(20), b""])


def _properties(odds: random.Random, number: int) -> _Raw:
    headers: dict[str, Any] = {
        name: odds.choice(_VALUES)
        for name in odds.sample(["x-delivery-count", "x-death", "x-stream-offset", "warrener", "other"], 2)
    }
    if odds.random() < 0.5:
        headers["warrener"] = odds.choice(_RECORDS)
    pieces: list[bytes] = []
    encode_table(pieces, headers)
    is_readable = number <= _READABLE or odds.random() < 0.7
    table = b"".join(pieces)[4:] + (b"" if is_readable else odds.choice(_RAW))
    message_id = odds.choice([f"m{number}".encode(), b"", b"\xff" * 255, b"same", b"\n\x1b[2J\0"])
    return _Raw(table, message_id, odds.choice([0, 5, 9, 10, 255]))


def _cell(odds: random.Random, data: bytes) -> Any:
    """Bytes as a program may write them into SQLite: as they are, or as text where they are text."""
    return odds.choice([data, data.decode("utf-8", "replace")])
