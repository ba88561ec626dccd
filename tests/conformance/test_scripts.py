"""`warrener.publish`, `warrener.results` and `Publisher` as scripts and notebooks use them."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

import warrener
from tests.batch import PATIENCE, drain
from warrener import App, Publisher, Task, WarrenerError
from warrener.brokers import connect
from warrener.errors import InvalidTask, NotConfirmed, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from warrener.address import Address


def tasks(count: int) -> Iterator[Task]:
    return (Task(f"t{n}", "echo", {"number": n}) for n in range(count))


def loop_threads() -> int:
    return sum(thread.name == "warrener" for thread in threading.enumerate())


async def test_they_work_where_an_event_loop_runs(address: Address) -> None:
    assert warrener.publish(tasks(10), broker=address.broker, queue=address.queue) == 10
    await drain(address)

    rows = list(warrener.results(broker=address.broker, queue=address.queue))

    assert sorted(row["task_id"] for row in rows) == sorted(f"t{n}" for n in range(10))


def test_they_work_where_none_runs(address: Address) -> None:
    assert warrener.publish(tasks(3), broker=address.broker, queue=address.queue) == 3
    asyncio.run(drain(address))
    assert len(list(warrener.results(broker=address.broker, queue=address.queue))) == 3


async def test_publisher_stays_open_for_services(address: Address) -> None:
    """For one with a loop and for one with threads; tasks get ids, and what fits no handler is refused."""
    app = App(retries=0)

    @app.task
    def echo(number: int) -> int:
        return number

    where: dict[str, Any] = {"broker": address.broker, "queue": address.queue}
    with Publisher(**where, app=app) as publisher:
        with ThreadPoolExecutor(4) as threads:
            counts = threads.map(lambda n: publisher.publish(echo.task(n), timeout=PATIENCE), range(20))
            assert sum(counts) == 20
        with pytest.raises(InvalidTask, match="'fetch', for which this app has no handler"):
            publisher.publish([Task("a", "echo", {"number": 20}), Task("b", "fetch")])
        with pytest.raises(InvalidTask, match=r"Expected `int`"):
            publisher.publish(Task("c", "echo", {"number": "x"}))
    async with Publisher(**where) as open_one:
        assert await open_one.publish([echo.task(21), echo.task(21)]) == 2
        with pytest.raises(
            NotConfirmed, match=r"the broker has confirmed [01] of the tasks within 0.01 s"
        ) as late:
            await open_one.publish(slowly(echo.task(22)), timeout=0.01)
        assert isinstance(late.value, TimeoutError)
    assert app.publish(echo.task(23), **where) == 1

    await drain(address)
    assert loop_threads() == 0
    rows = [row["value"][0] for row in warrener.results(**where)]
    assert Counter(rows) - Counter([22]) == Counter([*range(22), 21, 23])


async def slowly(task: Task) -> AsyncIterator[Task]:
    """A task, and then nothing for long."""
    yield task
    await asyncio.Event().wait()


async def test_generator_that_is_left_early_closes_its_broker(address: Address) -> None:
    warrener.publish(tasks(3), broker=address.broker, queue=address.queue)
    await drain(address)

    rows = warrener.results(broker=address.broker, queue=address.queue)
    assert next(rows)["status"] == "completed"
    assert loop_threads() == 1
    rows.close()  # type: ignore[attr-defined]

    assert loop_threads() == 0


async def test_they_follow_the_environment_and_an_argument_wins(
    address: Address, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("WARRENER_BROKER", address.broker)
    monkeypatch.setenv("WARRENER_QUEUE", address.queue)

    warrener.publish(tasks(2))
    async with Publisher() as publisher:
        await publisher.publish([Task("own", "echo")])
    warrener.publish(tasks(5), broker=f"sqlite:{tmp_path}/other.db")

    async with connect(address) as broker:
        assert (await broker.counts()).ready == 3
    assert list(warrener.results()) == []


def test_what_stops_the_iterable_comes_out_and_what_it_gave_is_published(sqlite_address: Address) -> None:
    def stopped() -> Iterator[Task]:
        yield from tasks(2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        warrener.publish(stopped(), broker=sqlite_address.broker, queue=sqlite_address.queue)

    asyncio.run(drain(sqlite_address))
    assert len(list(warrener.results(broker=sqlite_address.broker, queue=sqlite_address.queue))) == 2


@pytest.mark.parametrize(
    ("broker", "queue", "error", "why"),
    [
        ("ftp://host", None, UsageError, "scheme 'ftp'"),
        ("embedded", "a b", UsageError, "queue name"),
        ("k8s:batch", None, UsageError, "from Python, use the address of the broker itself"),
        ("amqp://127.0.0.1:1", None, WarrenerError, "cannot be reached"),
    ],
)
def test_errors_are_ours(broker: str, queue: str | None, error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=why):
        warrener.publish([], broker=broker, queue=queue)
    with pytest.raises(error, match=why):
        list(warrener.results(broker=broker, queue=queue))
