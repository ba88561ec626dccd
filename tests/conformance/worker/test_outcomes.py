"""Each row of the outcome table, on every broker, with real child processes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.batch import APP, drain, eventually, failures, publish, results, task, until_written
from warrener.brokers import Message, connect
from warrener.exit_codes import Exit
from warrener.worker.manifest import ChildSettings
from warrener.worker.supervisor import Supervisor

if TYPE_CHECKING:
    import pytest

    from warrener.address import Address

OFTEN: Final = ChildSettings(str(Path(__file__).with_name("often_app.py")))


async def test_each_task_ends_as_one_row(address: Address) -> None:
    await publish(address, [task("echo", f"t{n}", number=n) for n in range(500)])

    assert await drain(address, processes=2) is Exit.DRAINED

    rows = await results(address)
    assert {row["task_id"]: row["value"] for row in rows} == {f"t{n}": [n, ""] for n in range(500)}
    assert len(rows) == 500
    assert {row["attempts"] for row in rows} == {1}
    assert {row["status"] for row in rows} == {"completed"}


async def test_values_arrive_as_what_they_are(address: Address) -> None:
    given: dict[str, Any] = {
        "path": "a/b", "size": {"width": 3}, "price": "1.10", "when": "2026-11-27T12:00:00Z",
        "key": "00000000-0000-0000-0000-000000000001", "raw": "/w==",
    }  # fmt: skip
    await publish(
        address,
        [
            task("typed", "full", **given, copies=" 007"),
            task("typed", "empty", **given, copies=""),
            task("typed", "more", **given | {"size": {"width": 3, "depth": 1}}),
        ],
    )

    await drain(address)

    rows = {row["task_id"]: row["value"] for row in await results(address)}
    kinds = ["PosixPath", "Size", "Unit", "Decimal", "datetime", "UUID", "bytes", "int"]
    plain = [given["path"], {"width": 3, "unit": "px"}, "7.70", given["when"], given["key"], given["raw"]]
    assert rows == {
        "full": {"kinds": kinds, "1": plain, "loss": "NaN"},
        "empty": {"kinds": kinds, "1": [*plain[:2], "2.20", *plain[3:]], "loss": "NaN"},
    }
    (failure,) = (await failures(address)).values()
    assert (failure.task_id, failure.reason) == ("more", "invalid")
    assert "unknown field `depth` - at `$.size`" in failure.message


async def test_priorities_are_strict(address: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    # With one prefetch for all: while a worker changes to another, RabbitMQ serves both consumers, in no order of the two.
    monkeypatch.setattr("warrener.worker.intake.is_unfit", lambda *_: False)
    await publish(address, [task("echo", f"t{n}", priority=n % 10) for n in range(50)])

    await drain(
        address, settings=ChildSettings(APP, concurrency=1)
    )  # of several at a time some end before others

    order = [int(row["task_id"][1:]) % 10 for row in await results(address)]
    assert order == sorted(order, reverse=True)


async def test_failed_attempt_is_retried_with_its_history_and_priority(
    address: Address, tmp_path: Path
) -> None:
    calls = str(tmp_path / "calls")
    await publish(address, [task("fail_until", "t", 8, file=calls, times=2)])

    await drain(address)

    (row,) = await results(address)
    assert row["value"] == 3
    assert row["attempts"] == 3
    assert [(past["number"], past["error"], past["message"]) for past in row["history"]] == [
        (1, "ValueError", "call 1"),
        (2, "ValueError", "call 2"),
    ]
    assert "raise ValueError" in row["history"][0]["traceback"]


async def test_exhausted_retries_fail_with_every_attempt(address: Address) -> None:
    await publish(address, [task("fail", "t", 7, message="really")])

    await drain(address)

    found = (await failures(address))["t"]
    assert (found.reason, found.error, found.message, found.attempts) == (
        "exhausted",
        "ValueError",
        "really",
        4,
    )
    assert [attempt.number for attempt in found.history] == [1, 2, 3, 4]
    assert found.task == {"id": "t", "type": "fail", "data": {"message": "really"}, "priority": 7}
    assert await results(address) == []


async def test_history_keeps_ten_attempts_and_counts_all(address: Address) -> None:
    await publish(address, [task("fail_often", "t")])

    await drain(address, settings=OFTEN)

    found = (await failures(address))["t"]
    assert found.attempts == 12
    assert [attempt.number for attempt in found.history] == list(range(3, 13))
    assert all(len(attempt.traceback) <= 4096 and len(attempt.message) <= 1024 for attempt in found.history)


async def test_each_way_to_fail(address: Address) -> None:
    ways = {
        "permanent": ("permanent", "PermanentError", 1),
        "permanent_by_type": ("permanent", "KeyError", 1),
        "odd": ("permanent", "ResultUnwritable", 1),
        "colliding": ("permanent", "ResultUnwritable", 1),
        "hang": ("timed-out", "TimedOut", 2),
        "exit_": ("crashed", "Crashed", 2),
        "kill": ("crashed", "Crashed", 1),
        "segfault": ("crashed", "Crashed", 1),
        "publish_badly": ("exhausted", "InvalidTask", 2),
        "publish_badly_async": ("exhausted", "InvalidTask", 2),
        "nobody": ("unknown-type", "InvalidTask", 0),
    }
    publishing = [name for name in ways if name.startswith("publish_badly")]
    bad = [task(name, name, kind="its child") if name in publishing else task(name, name) for name in ways]
    await publish(address, [*bad, *(task("echo", f"good{n}") for n in range(20))])

    # One at a time: whoever is beside a crash runs again alone, which tests/conformance/worker/test_hostile.py looks at.
    await drain(address, settings=ChildSettings(APP, concurrency=1), processes=2)

    found = await failures(address)
    assert {id_: (each.reason, each.error, each.attempts) for id_, each in found.items()} == ways
    assert (
        "Odd" in found["odd"].message
    )  # a value that JSON cannot carry: its type is named, and how it shows itself kept
    assert found["odd"].history[-1].traceback.startswith("The handler returned <")
    assert found["colliding"].history[-1].traceback == "The handler returned {1: 'a', '1': 'b'}"
    assert "'nobody'" in found["nobody"].message
    for name in publishing:
        assert "raise InvalidTask" in found[name].history[-1].traceback
    rows = await results(address)
    assert {row["task_id"] for row in rows} == {f"good{n}" for n in range(20)}
    assert {row["attempts"] for row in rows} == {1}


async def test_invalid_message_is_a_failure_kept_whole(address: Address) -> None:
    bodies = [
        b"\xff\xfe not UTF-8",
        b"no JSON",
        b"[1, 2]",
        b'{"id": "bad3"}',
        b'{"id": "bad4", "type": ""}',
        b'{"id": "bad5", "type": "echo", "data": [1]}',
        b'{"id": "bad6", "type": "echo", "data": null}',
        b'{"id": "bad7", "type": "echo", "priority": 10}',
        b'{"id": "bad8", "type": "echo", "data": {"number": "many"}}',
        b'{"id": "bad9", "type": "echo", "data": {"nobody": 1}}',
        b"",
    ]
    ids = [f"bad{n}" for n in range(len(bodies))]
    await publish(address, [*map(Message, bodies, ids), task("echo", "good")])

    await drain(address)

    found = await failures(address)
    assert {id_: (each.reason, each.attempts) for id_, each in found.items()} == dict.fromkeys(
        ids, ("invalid", 0)
    )
    async with connect(address) as broker:
        assert {failed.id: failed.body async for failed in broker.failures()} == dict(
            zip(ids, bodies, strict=True)
        )
    assert [row["task_id"] for row in await results(address)] == ["good"]


async def test_chosen_delay_is_honoured(address: Address, tmp_path: Path) -> None:
    await publish(address, [task("after", "t", seconds=0.06, file=str(tmp_path / "mark"))])

    await drain(address)

    (row,) = await results(address)
    assert (row["value"], row["attempts"]) == ("done", 2)
    assert row["started_at"] - row["history"][0]["started_at"] >= 0.06


async def test_stopped_worker_hands_back_without_an_attempt(address: Address, tmp_path: Path) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"
    await publish(address, [task("wait_for", f"t{n}", file=str(gate), log=str(log)) for n in range(5)])
    async with connect(address) as broker:
        supervisor = Supervisor(broker, ChildSettings(APP), processes=2, grace=0)
        await supervisor.start()
        running = asyncio.create_task(supervisor.run())
        await until_written(log, 1)
        supervisor.stop()
        assert await running is Exit.STOPPED
    gate.touch()

    await drain(address)

    rows = await results(address)
    assert {row["task_id"] for row in rows} == {f"t{n}" for n in range(5)}
    assert {row["attempts"] for row in rows} == {1}


async def test_running_task_finishes_within_the_grace(address: Address, tmp_path: Path) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"
    await publish(address, [task("wait_for", "t", file=str(gate), log=str(log))])
    async with connect(address) as broker:
        supervisor = Supervisor(broker, ChildSettings(APP), processes=1, grace=3600)
        await supervisor.start()
        running = asyncio.create_task(supervisor.run())
        await until_written(log, 1)
        supervisor.stop()
        gate.touch()
        assert await running is Exit.STOPPED

    assert [row["task_id"] for row in await results(address)] == ["t"]


async def test_whole_record_reaches_a_handler_that_asks(address: Address) -> None:
    await publish(address, [task("whole", "t", 3, anything=[1, None])])

    await drain(address)

    (row,) = await results(address)
    assert row["value"] == {"id": "t", "type": "whole", "data": {"anything": [1, None]}, "priority": 3}


async def test_async_handlers_run_at_the_same_time(address: Address, tmp_path: Path) -> None:
    await publish(address, [task("sleep_async", f"t{n}", seconds=0.2) for n in range(20)])

    await drain(address, settings=ChildSettings(APP, concurrency=20))

    rows = await results(address)
    assert len(rows) == 20
    # Some began before others had ended.
    assert max(row["started_at"] for row in rows) < max(row["processed_at"] for row in rows)
    first_end = min(row["processed_at"] for row in rows)
    assert sum(row["started_at"] < first_end for row in rows) > 1


async def test_two_workers_share_a_queue(address: Address) -> None:
    await publish(address, [task("echo", f"t{n}", number=n) for n in range(1000)])

    await asyncio.gather(drain(address), drain(address))

    rows = await results(address)
    assert sorted(row["task_id"] for row in rows) == sorted(f"t{n}" for n in range(1000))


async def test_recycled_children_lose_nothing(address: Address) -> None:
    await publish(address, [task("echo", f"t{n}") for n in range(100)])

    await drain(address, max_tasks=7)

    rows = await results(address)
    assert len({row["task_id"] for row in rows}) == len(rows) == 100
    assert len({row["worker"] for row in rows}) > 5


async def test_counts_tell_each_state(address: Address, tmp_path: Path) -> None:
    gate, log = tmp_path / "gate", tmp_path / "log"
    await publish(address, [task("wait_for", f"t{n}", file=str(gate), log=str(log)) for n in range(3)])
    async with connect(address) as broker, connect(address) as watching:
        assert (await watching.counts()).ready == 3
        supervisor = Supervisor(broker, ChildSettings(APP, concurrency=1), processes=1, drain=True)
        await supervisor.start()
        running = asyncio.create_task(supervisor.run())
        await until_written(log, 1)

        async def is_processing() -> bool:
            counts = await watching.counts()
            return counts.processing == 1 and counts.ready == 2 and counts.workers == 1

        await eventually(is_processing)
        gate.touch()
        await running
        counts = await watching.counts()
        assert (counts.ready, counts.completed, counts.failed) == (0, 3, 0)
