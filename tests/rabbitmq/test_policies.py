"""Policies of an operator that limit our queues."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.batch import APP, drain, eventually, failures, publish, results, task
from tests.place import Place
from warrener.worker.manifest import ChildSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.operator import Operator
    from warrener.address import Address


@pytest.fixture
def place(tmp_path: Path, rabbit_address: Address) -> Iterator[Place]:
    with Place(tmp_path, rabbit_address) as place:
        yield place


async def test_publisher_waits_for_room_in_a_queue_of_limited_length(
    place: Place, operator: Operator
) -> None:
    await publish(place.address, [])
    ids = {f"t{n}" for n in range(1000)}
    with operator.policy(place.address.queue, {"max-length": 100}):
        publisher = place.begin("publish", place.tasks([{"id": each, "type": "echo"} for each in ids]))
        await publisher.says("the broker refuses tasks")

        async def says_it_again() -> bool:  # which it does every five seconds
            return publisher.said.count("the broker refuses tasks") > 1

        before = _cpu_seconds(publisher.process.pid)
        await eventually(says_it_again)
        assert _cpu_seconds(publisher.process.pid) - before < 3, "it spins"
        worker = place.begin("work", APP, "--processes", "1")
        assert publisher.end() == 0, publisher.said
        assert worker.end(signal.SIGTERM) == 75
    await drain(place.address)

    assert {row["task_id"] for row in await results(place.address)} == ids


async def test_worker_waits_for_room_for_failures(place: Place, operator: Operator, tmp_path: Path) -> None:
    # What holds up a worker is a limit on a queue that refuses, as a delay does. It is a long delay, since one that is
    # shorter than a busy machine takes from one failure to the next never has two of them.
    app = tmp_path / "app.py"
    app.write_text(
        "from warrener import App\napp = App(retries=1, base=2)\n"
        "@app.task\ndef fail() -> None:\n    raise ValueError\n"
    )
    with operator.policy(f"{place.address.queue}.delay.2000", {"max-length": 1}):
        await publish(place.address, [task("fail", f"t{n}") for n in range(50)])
        worker = place.begin("work", str(app), "--processes", "1")
        await worker.says(
            "the broker refuses messages, as when a policy limits a queue's length; trying again"
        )
    assert worker.end(signal.SIGTERM) == 75
    await drain(place.address, settings=ChildSettings(str(app)))

    assert {each.attempts for each in (await failures(place.address)).values()} == {2}
    assert len(await failures(place.address)) == 50


async def test_doctor_names_policies_that_lose_or_hold_up(place: Place, operator: Operator) -> None:
    await publish(place.address, [])
    policies: dict[str, dict[str, object]] = {
        "": {"max-length": 5},
        ".failed": {"max-length": 5, "expires": 1000000},
        ".results": {"max-age": "1h"},
        ".results.packed": {"max-age": "2h"},
        ".published": {"max-length-bytes": 1000000},
        ".delay.10000": {"message-ttl": 5},
    }
    sentences = [
        ("", "max-length = 5, which holds up who publishes when it is full"),
        (".failed", "max-length = 5, which drops the oldest when it is full"),
        (".failed", "expires = 1000000, which deletes the queue"),
        (".results", "max-age = '1h', which drops the oldest"),
        (".results.packed", "max-age = '2h', which drops the oldest"),
        (".published", "max-length-bytes = 1000000, which drops the oldest when it is full"),
        (".delay.10000", "message-ttl = 5, which takes away what has waited for long"),
    ]
    wrong = [f"WRONG queue '{place.address.queue}{part}': a policy sets {said}" for part, said in sentences]

    async def are_told() -> bool:
        done = await asyncio.to_thread(place.warrener, "doctor")
        return done.returncode == 1 and all(sentence in done.stdout for sentence in wrong)

    async def is_well() -> bool:
        return (await asyncio.to_thread(place.warrener, "doctor")).returncode == 0

    with ExitStack() as stack:
        for part, definition in policies.items():
            name = f"{place.address.queue}{part}".replace(".", "[.]")
            stack.enter_context(operator.policy(name, definition))
        await eventually(are_told)
    await eventually(is_well)


def _cpu_seconds(pid: int) -> float:
    of_it = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, of_it[11:13])) / os.sysconf("SC_CLK_TCK")
