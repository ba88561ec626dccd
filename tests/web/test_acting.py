"""What the page does to a queue: what was counted, and nothing else; with who."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tests.batch import failures
from tests.web.ended import FAILED, fill
from tests.web.visitor import USER, served
from warrener.brokers import connect
from warrener.journal import note_purged
from warrener.web.door import Door

if TYPE_CHECKING:
    from tests.web.visitor import Visitor
    from warrener.address import Address


async def _act(visitor: Visitor, queue: str, verb: str, what: object, **headers: str) -> Any:
    answer = await visitor.post(f"/api/queues/{queue}/actions/{verb}", what, **headers)
    assert answer.status == 200, answer.body
    return answer.json


async def test_retry_and_discard_touch_what_was_counted(address: Address) -> None:
    await fill(address)
    queue = address.queue
    async with served(address, can_act=True) as visitor:
        counted = await _act(
            visitor, queue, "count", {"filter": {"error": "OSError", "where": ["data.region=eu"]}}
        )
        assert (counted["count"], [group["count"] for group in counted["groups"]]) == (1, [1])
        some = await _act(visitor, queue, "count", {"ids": ["evil", "nobody"]})
        assert some["count"] == 1
        assert set(await failures(address)) == {name for name, *_ in FAILED}

        assert await _act(visitor, queue, "retry", {"selection": counted["selection"]}) == {
            "done": 1,
            "notes": [],
        }
        assert await _act(visitor, queue, "discard", {"selection": some["selection"]}) == {
            "done": 1,
            "notes": [],
        }
        assert await _act(visitor, queue, "discard", {"selection": some["selection"]}) == {
            "done": 0,
            "notes": [],
        }

        assert set(await failures(address)) == {"disk-2", "gone/../1"}
        left = await _act(visitor, queue, "count", {"filter": {}})
        assert left["count"] == 2
        edited = await _act(visitor, queue, "edit", {"id": "disk-2", "data": {"region": "moon"}})
        assert edited["done"] == 1
        again = await _act(visitor, queue, "edit", {"id": "disk-2", "data": {}})
        assert (again["done"], "any more" in again["notes"][0]) == (0, True)
        async with connect(address) as broker:
            assert (await broker.counts()).ready == 2
            await note_purged(broker, "bob@there", time.time() + 1)
        last, *entries = (await visitor.get(f"/api/queues/{queue}/journal")).json["entries"]
        assert [entry["what"] for entry in entries] == ["edited", "discarded", "discarded", "retried"]
        assert {entry["by"] for entry in entries} == {f"{USER} (page)"}
        assert (last["what"], last["by"]) == ("purged", "bob@there")


async def test_what_is_no_action_is_refused_in_a_sentence(sqlite_address: Address) -> None:
    await fill(sqlite_address)
    async with served(sqlite_address, can_act=True) as visitor:
        for verb, what, status in (
            ("count", {}, 400),
            ("count", {"filter": {}, "ids": []}, 400),
            ("count", {"filter": {"colour": "red"}}, 400),
            ("count", {"filter": {"where": ["colour"]}}, 400),
            ("retry", {"selection": "old"}, 409),
            ("retry", {"filter": {}}, 400),
            ("edit", {"id": "disk-1", "data": [1]}, 400),
            ("cancel", {"types": "all"}, 400),
            ("delete", {}, 404),
        ):
            answer = await visitor.post(f"/api/queues/test/actions/{verb}", what)
            assert (answer.status, "error" in answer.json) == (status, True), (verb, what, answer.body)
        counted = await _act(visitor, "test", "count", {"filter": {}})
        other = await visitor.post("/api/queues/other/actions/discard", {"selection": counted["selection"]})
        assert other.status in (404, 409, 503)
        assert len(await failures(sqlite_address)) == 4


async def test_only_a_proxy_says_who_acts(sqlite_address: Address) -> None:
    await fill(sqlite_address)
    forged = {"X_Forwarded_User": "bob"}
    for door, by in (
        (Door(), f"{USER} (page)"),
        (Door("127.0.0.1", "page.example"), f"bob (page of {USER})"),
    ):
        async with served(sqlite_address, can_act=True, door=door) as visitor:
            for verb in ("pause", "resume"):
                await _act(visitor, "test", verb, {}, **forged)
            entries = (await visitor.get("/api/queues/test/journal")).json["entries"]
            assert [(entry["what"], entry["by"]) for entry in entries[:2]] == [
                ("resumed", by),
                ("paused", by),
            ]
