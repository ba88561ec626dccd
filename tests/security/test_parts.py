"""Each part's user can do exactly its part: every operation by every user, as real commands on a real broker.

AMQP knows no reading that does not take: who may read failures may discard them, and who may read tasks may hold them.
"""

from __future__ import annotations

import asyncio
import uuid
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import pytest

from tests.batch import APP, drain, eventually, publish, task
from tests.place import Place
from tests.web.visitor import served
from warrener.address import Address
from warrener.brokers import Depths, connect
from warrener.brokers.rabbitmq.access import ROLES, admit, permissions
from warrener.brokers.rabbitmq.management import Management

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


# Each operation, in an order that leaves the next ones something to do.
OPERATIONS: Final[dict[str, list[str]]] = {
    "setup": ["setup", "--keep-logs"],
    "publish": ["publish", "tasks.jsonl"],
    "work": ["work", APP, "--drain", "--processes", "1", "--keep-logs"],
    "logs": ["logs"],
    "check": ["work", APP, "--check"],
    "results": ["results"],
    "list": ["failures", "list"],
    "export": ["failures", "export"],
    "retry": ["failures", "retry"],
    "discard": ["failures", "discard", "--yes"],
    "status": ["status", "--json", "--running"],
    "pause": ["pause"],
    "cancel": ["cancel", "--type", "nothing"],
    "resume": ["resume"],
    "run": ["run", APP, "tasks.jsonl"],
    "purge": ["purge", "--yes"],
    "delete": ["delete", "--yes"],
}
# `work --check` sees that the queue is there, as anybody may who has any right to it; and `resume` that nothing is paused, as
# anybody may who may read the journal.
MAY: Final[dict[str, set[str]]] = {
    "setup": set(OPERATIONS),
    "producer": {"publish", "check"},
    "worker": {"work", "check", "resume"},
    "collector": {"results", "logs", "list", "export", "discard", "resume"},
    "operator": {
        "check",
        "results",
        "logs",
        "list",
        "export",
        "discard",
        "status",
        "pause",
        "cancel",
        "resume",
    },
    "watcher": {"check", "results", "logs", "list", "export", "discard", "status", "resume"},
}
EXIT_REFUSED: Final = {3, 78}


def test_every_part_is_here() -> None:
    assert set(MAY) == set(ROLES) == set(permissions("any"))


class Parts:
    """A queue with its users."""

    def __init__(self, administrator: Address) -> None:
        self.administrator = administrator
        self.users = {part: (f"{administrator.queue}-{part}", f"pw-{part}") for part in ROLES}

    def as_part(self, part: str) -> Address:
        url = urlsplit(self.administrator.broker)
        name, password = self.users[part]
        broker = url._replace(netloc=f"{name}:{password}@{url.hostname}:{url.port}").geturl()
        return Address(broker, self.administrator.queue, self.administrator.management)


@pytest.fixture(scope="module")
def parts(rabbitmq: tuple[str, str]) -> Iterator[Parts]:
    url, management = rabbitmq
    parts = Parts(Address(url, f"test.{uuid.uuid4().hex[:8]}", management or None))
    asyncio.run(admit(parts.administrator, parts.users))
    yield parts
    with closing(Management(parts.administrator)) as api:
        for name, _ in parts.users.values():
            api._ask(f"users/{name}", "DELETE")
    asyncio.run(_delete(parts.administrator))


async def _delete(address: Address) -> None:
    async with connect(address) as broker:
        await broker.delete()


async def _fill(address: Address) -> dict[str, int]:
    """One result, three failures and one task, and nothing else; the counts of each."""
    async with connect(address) as broker:
        await broker.delete()
    await publish(address, [task("echo", "completed"), *(task("permanent", f"failed {n}") for n in range(3))])
    await drain(address, keeps_output=True)
    await publish(address, [task("echo", "waiting")])
    return await _counts(address)


async def _counts(address: Address) -> dict[str, int]:
    async with connect(address) as broker:
        counts = await broker.counts()
    return {"waiting": counts.ready, "completed": counts.completed, "failed": counts.failed}


@pytest.mark.parametrize("part", ROLES)
async def test_a_part_can_do_its_own(parts: Parts, part: str, tmp_path: Path) -> None:
    await _fill(parts.administrator)
    place = Place(tmp_path, parts.as_part(part))
    place.tasks([{"type": "echo", "id": "new"}])
    for operation in [operation for operation in OPERATIONS if operation in MAY[part]]:
        done = place.warrener(*OPERATIONS[operation])

        # What is there may have failed, or is unfinished: exit code 1 says so.
        assert done.returncode in (0, 1), f"{part} {operation}: {done.stderr}"
        assert "refuses" not in done.stderr, f"{part} {operation}: {done.stderr}"


@pytest.mark.parametrize("part", [part for part in ROLES if MAY[part] != set(OPERATIONS)])
async def test_a_part_is_refused_all_else(parts: Parts, part: str, tmp_path: Path) -> None:
    before = await _fill(parts.administrator)
    place = Place(tmp_path, parts.as_part(part))
    place.tasks([{"type": "echo", "id": "new"}])
    user = parts.users[part][0]
    for operation in [operation for operation in OPERATIONS if operation not in MAY[part]]:
        done = place.warrener(*OPERATIONS[operation])

        assert done.returncode in EXIT_REFUSED, f"{part} {operation}: {done.returncode} {done.stderr}"
        last = done.stderr.splitlines()[-1]
        assert last.startswith("warrener: "), f"{part} {operation}: {done.stderr}"
        assert f"refuses this to user '{user}'" in last, f"{part} {operation}: {done.stderr}"
        assert "Traceback" not in done.stderr

    async def is_as_before() -> bool:  # once the broker has heard that who held something is gone
        return await _counts(parts.administrator) == before

    await eventually(is_as_before)


def _is_heard(told: dict[str, Any]) -> bool:
    return told["workers"] is not None


def _is_refused(told: dict[str, Any]) -> bool:
    return told["workers"] is None


async def test_page_shows_each_part_what_it_may_see(parts: Parts) -> None:
    """And says what it may not."""
    await _fill(parts.administrator)
    base = f"/api/queues/{parts.administrator.queue}"
    for part, sees_counts, sees_ends in (
        ("watcher", True, True),
        ("collector", False, True),
        ("producer", False, False),
    ):
        async with (
            served(parts.as_part(part), can_act=True) as visitor,
            visitor.events(parts.administrator.queue) as events,
        ):
            status = await events.have("status")
            # Until the broker has answered it may seem that there are none.
            workers = await events.have("workers", _is_heard if sees_counts else _is_refused)
            history = await events.have("history", lambda told: told["may_not"] or told["is_complete"])
            failures = await visitor.get(f"{base}/failures")
            ordered = await visitor.post(f"{base}/actions/pause")

            assert (status["ready"] == 1, bool(status["may_not"])) == (sees_counts, not sees_counts), part
            assert (workers["workers"] is not None, bool(workers["may_not"])) == (
                sees_counts,
                not sees_counts,
            )
            assert (history["may_not"] is None, failures.status) == (sees_ends, 200 if sees_ends else 403), (
                part
            )
            assert ordered.status == 403
            assert "refuses this" in ordered.json["error"]
            if sees_ends:
                assert (history["completed"], history["failed"], failures.json["count"]) == (1, 3, 3)
            assert f"pw-{part}" not in str((status, workers, history, failures.body, ordered.body))
    async with served(parts.as_part("collector"), can_act=True) as visitor:
        counted = (await visitor.post(f"{base}/actions/count", {"filter": {}})).json
        retried = await visitor.post(f"{base}/actions/retry", {"selection": counted["selection"]})
        assert (retried.status, "refuses this" in retried.json["error"]) == (403, True)
        discarded = (await visitor.post(f"{base}/actions/discard", {"selection": counted["selection"]})).json
        assert (discarded["done"], "may not write" in discarded["notes"][0]) == (3, True)


async def test_worker_is_told_that_its_queue_keeps_no_logs(parts: Parts, tmp_path: Path) -> None:
    async with connect(parts.administrator) as broker:
        await broker.delete()
    await publish(parts.administrator, [task("echo", "t")])
    async with connect(parts.as_part("worker")) as broker:  # what its metrics tell of the queue
        assert await broker.depths() == Depths(ready=1, delayed=0, failed=None)

    done = Place(tmp_path, parts.as_part("worker")).warrener("work", APP, "--drain", "--keep-logs")

    assert done.returncode == 78
    assert (
        "keeps no logs, and this user may not change that; set it up with `warrener setup --keep-logs`"
        in done.stderr
    )


async def test_two_may_let_the_same_users_in_at_the_same_moment(rabbit_address: Address) -> None:
    users = {role: (f"{rabbit_address.queue}-{role}", role) for role in ROLES}
    try:
        await asyncio.gather(*(admit(rabbit_address, users) for _ in range(4)))
    finally:
        with closing(Management(rabbit_address)) as api:
            for name, _ in users.values():
                api._ask(f"users/{name}", "DELETE")
