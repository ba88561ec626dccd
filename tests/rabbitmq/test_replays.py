"""Replaying failures and collecting results, killed in the middle or cut off."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from tests.batch import drain, eventually, failures, publish, results, task
from tests.place import Place
from tests.rabbitmq.cutting import cut
from warrener.brokers import FailedTask, Message, connect
from warrener.brokers.rabbitmq import failures as failing
from warrener.errors import BrokerError

if TYPE_CHECKING:
    from pathlib import Path

    from warrener.address import Address

MANY = 1500


async def test_replay_killed_in_the_middle_loses_nothing(rabbit_address: Address, tmp_path: Path) -> None:
    await publish(rabbit_address, [task("permanent", f"t{n}") for n in range(MANY)])
    await drain(rabbit_address, processes=2)
    with Place(tmp_path, rabbit_address) as place:
        replay = place.begin("failures", "retry")
        await place.has_ready(1)
        replay.end(signal.SIGKILL)

        async def are_back() -> bool:  # what it held
            async with connect(rabbit_address) as broker:
                counts = await broker.counts()
                return counts.ready + counts.failed >= MANY

        await eventually(are_back)
        left = await failures(rabbit_address)
        again = place.warrener("failures", "retry")
        assert again.returncode == 0, again.stderr
        assert f"{len(left):,} failure" in again.stderr
    await drain(rabbit_address, processes=2)

    found = await failures(rabbit_address)
    assert set(found) == {f"t{n}" for n in range(MANY)}
    assert await results(rabbit_address) == []


@pytest.mark.parametrize("at", [1, 10])
async def test_replay_whose_connection_is_cut_before_the_confirms_says_so_and_loses_nothing(
    rabbit_address: Address, at: int
) -> None:
    await publish(rabbit_address, [task("permanent", f"t{n}") for n in range(10)])
    await drain(rabbit_address)
    seen = 0
    async with connect(rabbit_address) as broker:

        def replay(found: FailedTask) -> Message:
            nonlocal seen
            seen += 1
            if seen == at:
                cut(broker)
            return Message(found.body, found.id, found.priority, found.record.replay())

        with pytest.raises(BrokerError, match=r"the connection to .* was lost"):
            await broker.sweep(replay)

    await drain(rabbit_address, is_patient=True)
    assert set(await failures(rabbit_address)) == {f"t{n}" for n in range(10)}


async def test_collector_killed_in_the_middle_leaves_nothing_and_collects_all_again(
    rabbit_address: Address, tmp_path: Path
) -> None:
    await publish(rabbit_address, [task("echo", f"t{n}") for n in range(MANY)])
    await drain(rabbit_address, processes=2)
    with Place(tmp_path, rabbit_address) as place:
        collector = place.begin("results", "-o", "out.jsonl", "--follow")

        async def has_begun() -> bool:
            return any(tmp_path.glob(".out.jsonl.*"))

        await eventually(has_begun)
        collector.end(signal.SIGKILL)
        assert not (tmp_path / "out.jsonl").exists()

        done = place.warrener("results", "-o", "out.jsonl")

        assert done.returncode == 0, done.stderr
        assert {row["task_id"] for row in place.rows("out.jsonl")} == {f"t{n}" for n in range(MANY)}
        assert list(tmp_path.glob(".out.jsonl.*")) == []


async def test_reader_of_failures_that_are_purged_meanwhile_ends(
    rabbit_address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failing, "_PAGE", 2)
    monkeypatch.setattr(failing, "_LATE", 0.1)
    await publish(rabbit_address, [task("no such type", f"t{n}") for n in range(6)])
    await drain(rabbit_address)
    seen = 0
    async with connect(rabbit_address) as broker, connect(rabbit_address) as other:
        async for _ in broker.failures():
            seen += 1
            if seen == 1:
                await other.purge()

    assert seen == 2  # what was delivered before


async def test_follower_goes_on_after_a_purge(rabbit_address: Address) -> None:
    await publish(rabbit_address, [task("echo", f"before{n}") for n in range(20)])
    await drain(rabbit_address)
    seen: list[str] = []
    async with connect(rabbit_address) as broker, connect(rabbit_address) as other:
        async for rows in broker.results(follow=True):
            seen += [json.loads(row)["task_id"] for row in rows]
            if len(seen) == 20:
                await other.purge()
                await publish(rabbit_address, [task("echo", "after")])
                await drain(rabbit_address)
            if "after" in seen:
                break

    assert len(seen) == 21
