"""Policies of an operator that limit our queues."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.batch import APP, drain, eventually, failures, publish, results, task
from tests.place import Place
from warrener.worker.manifest import ChildSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.rabbitmq_server import RabbitMQ
    from warrener.address import Address


@pytest.fixture
def place(tmp_path: Path, breakable: Address) -> Iterator[Place]:
    with Place(tmp_path, breakable) as place:
        yield place


@contextmanager
def policy(server: RabbitMQ, name: str, definition: str) -> Iterator[None]:
    """One for the queues whose names fit."""
    server.ctl("set_policy", "a-policy", f"^{name}$", definition, "--apply-to", "all")
    try:
        yield
    finally:
        server.ctl("clear_policy", "a-policy")


async def test_publisher_waits_for_room_in_a_queue_of_limited_length(place: Place, server: RabbitMQ) -> None:
    await publish(place.address, [])
    ids = {f"t{n}" for n in range(5000)}
    with policy(server, place.address.queue, '{"max-length": 100}'):
        publisher = place.begin("publish", place.tasks([{"id": each, "type": "echo"} for each in ids]))
        await publisher.says("the broker refuses tasks")

        async def says_it_again() -> bool:  # which it does every five seconds
            return publisher.said.count("the broker refuses tasks") > 2

        before = _cpu_seconds(publisher.process.pid)
        await eventually(says_it_again)
        assert _cpu_seconds(publisher.process.pid) - before < 3, "it spins"
        worker = place.begin("work", APP, "--processes", "1")
        assert publisher.end() == 0, publisher.said
        assert worker.end(signal.SIGTERM) == 75
    await drain(place.address)

    assert {row["task_id"] for row in await results(place.address)} == ids


async def test_worker_waits_for_room_for_failures(place: Place, server: RabbitMQ, tmp_path: Path) -> None:
    # What holds up a worker is a limit on a queue that refuses, as a delay does. It is a long delay, since one that is
    # shorter than a busy machine takes from one failure to the next never has two of them.
    app = tmp_path / "app.py"
    app.write_text(
        "from warrener import App\napp = App(retries=1, base=2)\n"
        "@app.task\ndef fail() -> None:\n    raise ValueError\n"
    )
    with policy(server, f"{place.address.queue}.delay.2000", '{"max-length": 1}'):
        await publish(place.address, [task("fail", f"t{n}") for n in range(50)])
        worker = place.begin("work", str(app), "--processes", "1")
        await worker.says(
            "the broker refuses messages, as when a policy limits a queue's length; trying again"
        )
    assert worker.end(signal.SIGTERM) == 75
    await drain(place.address, settings=ChildSettings(str(app)))

    assert {each.attempts for each in (await failures(place.address)).values()} == {2}
    assert len(await failures(place.address)) == 50


@pytest.mark.parametrize(
    ("part", "definition", "sentence"),
    [
        ("", '{"max-length": 5}', "max-length = 5, which holds up who publishes when it is full"),
        (".failed", '{"max-length": 5}', "max-length = 5, which drops the oldest when it is full"),
        (".failed", '{"expires": 1000000}', "expires = 1000000, which deletes the queue"),
        (".results", '{"max-age": "1h"}', "max-age = '1h', which drops the oldest"),
        (".delay.10000", '{"message-ttl": 5}', "message-ttl = 5, which takes away what has waited for long"),
    ],
)
async def test_doctor_names_policies_that_lose_or_hold_up(
    place: Place, server: RabbitMQ, part: str, definition: str, sentence: str
) -> None:
    await publish(place.address, [])
    name = f"{place.address.queue}{part}"
    with policy(server, name.replace(".", "[.]"), definition):
        await eventually(lambda: _is_told(place, f"WRONG queue '{name}': a policy sets {sentence}"))

    async def is_well() -> bool:
        return (await asyncio.to_thread(place.warrener, "doctor")).returncode == 0

    await eventually(is_well)


async def _is_told(place: Place, words: str) -> bool:
    done = await asyncio.to_thread(place.warrener, "doctor")
    return done.returncode == 1 and words in done.stdout


def _cpu_seconds(pid: int) -> float:
    of_it = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, of_it[11:13])) / os.sysconf("SC_CLK_TCK")
