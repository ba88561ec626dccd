"""Failures, tasks and results as the page has them, on each broker."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from pyarrow import parquet

from tests.web.ended import FAILED, HOSTILE, fill
from tests.web.visitor import served
from warrener.brokers import Log, connect
from warrener.logs import LogPiece, pack

if TYPE_CHECKING:
    from tests.web.visitor import Visitor
    from warrener.address import Address


async def _ids(visitor: Visitor, queue: str, **query: str) -> list[str]:
    found = (await visitor.get(f"/api/queues/{queue}/failures?{urlencode(query)}")).json
    assert found["count"] == len(found["failures"]), found
    return [failure["task_id"] for failure in found["failures"]]


async def test_all_that_has_ended_is_found_and_told_whole(address: Address) -> None:
    await fill(address)
    async with served(address) as visitor:
        base = f"/api/queues/{address.queue}"
        found = (await visitor.get(f"{base}/failures?limit=3")).json
        assert (found["read"], found["expected"], found["is_complete"], found["count"]) == (4, 4, True, 4)
        assert [group["count"] for group in found["groups"]] == [2, 1, 1]
        assert found["groups"][0]["fingerprint"] == "no space on <value>"
        assert found["groups"][0]["example"]["history"][0]["traceback"] == "in write"
        assert found["facets"]["error"] == {"OSError": 2, "KeyError": 1, "ValueError": 1}
        assert [failure["task_id"] for failure in found["failures"]] == ["evil", "gone/../1", "disk-2"]
        rest = (await visitor.get(f"{base}/failures?limit=3&after={found['next']}")).json
        assert ([failure["task_id"] for failure in rest["failures"]], rest["next"]) == (["disk-1"], None)

        group = found["groups"][0]["key"]
        for query, ids in (
            ({"reason": "permanent"}, ["evil", "gone/../1"]),
            ({"error": "OSError", "type": "resize"}, ["disk-2", "disk-1"]),
            ({"group": group}, ["disk-2", "disk-1"]),
            ({"text": "out of inodes"}, ["disk-1"]),
            ({"text": '"region":"us"'}, ["disk-2"]),
            ({"text": HOSTILE.upper()}, ["evil"]),
            ({"text": "traceback"}, []),
            ({"where": "data.region=eu", "error": "OSError"}, ["disk-1"]),
            ({"group": "no such"}, []),
        ):
            assert await _ids(visitor, address.queue, **query) == ids, query
        assert (await visitor.get(f"{base}/failures?where=region")).status == 400
        assert (await visitor.get(f"{base}/failures?limit=many")).status == 400

        failed = (await visitor.get(f"{base}/tasks?id={quote('gone/../1')}")).json
        assert (failed["state"], failed["data"], failed["attempts"][0]["output"]) == (
            "failed",
            {"region": "eu"},
            "printed",
        )
        done = (await visitor.get(f"{base}/tasks?id=done-1")).json
        assert (done["state"], done["result"]["value"]["number"]) == ("completed", 1)
        assert [(attempt["number"], attempt["outcome"]) for attempt in done["attempts"]] == [
            (1, "failed"),
            (2, "completed"),
        ]
        unknown = (await visitor.get(f"{base}/tasks?id=nobody")).json
        assert (unknown["state"], "all 3 rows" in unknown["searched"]) == ("unknown", True)

        dots = (await visitor.get(f"{base}/tasks?id=..")).json
        assert (dots["task_id"], dots["state"]) == ("..", "unknown")
        assert (await visitor.get(f"{base}/tasks")).status == 400

        rows = (await visitor.get(f"{base}/results?limit=2")).json
        assert [row["task_id"] for row in rows["rows"]] == ["done-2", "done-1"]
        rows = (await visitor.get(f"{base}/results?limit=2&before={rows['next']}")).json
        assert ([row["task_id"] for row in rows["rows"]], rows["next"]) == (["done-0"], None)
        rows = (await visitor.get(f"{base}/results?text=NUMBER%22:1")).json
        assert [row["task_id"] for row in rows["rows"]] == ["done-1"]
        rows = (await visitor.get(f"{base}/results?id=done-0")).json
        assert [row["task_id"] for row in rows["rows"]] == ["done-0"]

        async with visitor.events(address.queue) as events:
            history = await events.have("history", lambda history: history["is_complete"])
        assert (history["read"], history["completed"], history["failed"]) == (7, 3, 4)


async def test_end_of_what_a_completed_task_has_printed_is_told(address: Address) -> None:
    await fill(address)
    path = f"/api/queues/{address.queue}/output?id="
    async with served(address) as visitor, connect(address) as broker:
        assert (await visitor.get(f"{path}done-0")).json == {"text": None, "note": None, "is_whole": True}
        await broker.keep_output()
        lines = [f"line {n} of many\n".encode() for n in range(10_000)]
        pieces = [
            LogPiece("done-1", 1, 1000.0, "in vain\n", outcome="delayed"),
            *(LogPiece.of("done-1", 2, 1001.0, line, "") for line in lines),
            LogPiece.of("done-0", 1, 1001.5, b"h\xe9llo\n", ""),
            LogPiece.of("done-1", 2, 1002.0, b"no end", "completed"),
            LogPiece("other", 1, 2000.0, "much later"),
            LogPiece("done-2", 1, 1001.0, "after its time"),
        ]
        await broker.note(Log.OUTPUT, [b"\n".join(map(pack, pieces))])

        told = (await visitor.get(f"{path}done-1")).json
        assert told["text"].startswith("line ")
        assert told["text"].endswith("line 9999 of many\nno end")
        assert 60_000 < len(told["text"]) <= 65_536
        left_out = len(b"".join([*lines, b"no end"])) - len(told["text"])
        assert f"{left_out:,} bytes before that are left out" in told["note"]
        told = (await visitor.get(f"{path}done-0")).json
        assert told == {"text": "h\ufffdllo\n", "note": None, "is_whole": False}
        told = (await visitor.get(f"{path}done-2")).json
        assert told == {"text": "", "note": "Nothing that it printed is kept.", "is_whole": False}
        assert (await visitor.get(f"{path}disk-1")).json["text"] is None
        assert (await visitor.get(path)).status == 400


async def test_downloads_are_files_and_what_the_command_writes(sqlite_address: Address) -> None:
    await fill(sqlite_address)
    async with served(sqlite_address) as visitor:
        answers = {
            name: await visitor.get(f"/api/queues/test/{name}")
            for name in ("results.jsonl", "results.json", "results.csv", "failures.jsonl", "failures.csv")
        }
        for name, answer in answers.items():
            what, _, form = name.partition(".")
            assert answer.headers["content-disposition"] == f'attachment; filename="test.{what}.{form}"'
        rows = [json.loads(line) for line in answers["results.jsonl"].body.splitlines()]
        assert [row["task_id"] for row in rows] == ["done-0", "done-1", "done-2"]
        assert json.loads(answers["results.json"].body) == rows
        assert len(answers["results.csv"].body.splitlines()) == 4
        failed = [json.loads(line) for line in answers["failures.jsonl"].body.splitlines()]
        assert [failure["task_id"] for failure in failed] == [name for name, *_ in FAILED]
        assert len(answers["failures.csv"].body.splitlines()) == 5
        some = await visitor.get("/api/queues/test/failures.jsonl?error=KeyError")
        assert len(some.body.splitlines()) == 1
        columns = await visitor.get("/api/queues/test/results.parquet")
        assert columns.headers["content-disposition"] == 'attachment; filename="test.results.parquet"'
        assert parquet.read_table(io.BytesIO(columns.body))["task_id"].to_pylist() == [
            row["task_id"] for row in rows
        ]
        for name in ("failures.parquet", "results.html", "failures.json", "results.jsonl%2f.."):
            assert (await visitor.get(f"/api/queues/test/{name}")).status == 404


async def test_hostile_text_is_never_html(sqlite_address: Address) -> None:
    await fill(sqlite_address)
    async with served(sqlite_address) as visitor:
        for path in (
            "failures",
            "tasks?id=evil",
            "tasks?id=%3Cscript%3E",
            "results",
            "no%3Cscript%3E",
            "results.jsonl",
        ):
            answer = await visitor.get(f"/api/queues/test/{path}")
            assert "html" not in answer.headers["content-type"]
            assert answer.headers["x-content-type-options"] == "nosniff"


async def test_large_task_is_left_out_of_lists(sqlite_address: Address) -> None:
    await fill(sqlite_address, [("large", "x" * 100_000, "permanent", "ValueError", "large", "")])
    async with served(sqlite_address) as visitor:
        (failure,) = (await visitor.get("/api/queues/test/failures")).json["failures"]
        assert (failure["task"], failure["task_bytes"] > 100_000) == (None, True)
        task = (await visitor.get("/api/queues/test/tasks?id=large")).json
        assert len(task["data"]["region"]) == 100_000
