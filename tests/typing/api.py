"""Everything public, as users write it: type-checked by `make lint`, never run."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, assert_type

import warrener
import warrener.testing
from warrener import (
    App,
    AsyncBatch,
    Attempt,
    Batch,
    BlockingPublisher,
    Failure,
    PermanentError,
    Publisher,
    Result,
    SoftTimeout,
    Status,
    Stopped,
    Summary,
    Task,
    TransientError,
    WarrenerError,
    errors,
)
from warrener.otel import tracing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator

app = App(retries=5, base=0.5, timeout=60, permanent=(ValueError,))
plain = App()


@dataclass
class Size:
    width: int
    height: int = 1


@dataclass
class Cache:
    size: int


@app.lifespan
def size() -> Iterator[Size]:
    yield Size(1)


@app.lifespan
async def cache(size: Size) -> AsyncIterator[Cache]:
    yield Cache(size.width)


@app.lifespan
@contextmanager
def nothing() -> Iterator[None]:
    yield


app.middleware(tracing(parent=True))


@app.middleware
def timed(task: Task, attempt: Attempt, size: Size) -> Generator[None, object]:
    value = yield
    assert_type((task.id, attempt.number, size.width, value), tuple[str, int, int, object])


@app.middleware
async def spanned() -> AsyncIterator[None]:
    yield


@app.task(timeout=60, soft_timeout=50)
def train(epochs: int, attempt: Attempt = Attempt()) -> str:  # noqa: B008 - the worker gives another one
    assert_type(attempt.time_left, float | None)
    attempt.progress(1, epochs)
    attempt.progress(0.5)
    assert_type(attempt.reported, tuple[float, float | None] | None)
    try:
        if attempt.is_stopping or attempt.is_late:
            raise Stopped
    except SoftTimeout as error:
        return str(error)
    return str(attempt.number)


@app.task
def resize(file: str, size: Size, width: int = 200) -> dict[str, int]:
    if not file:
        raise PermanentError("no file")
    if width > size.width:
        raise TransientError("later", after=30)
    return {"width": width}


@app.task("fetch", retries=0, base=2, timeout=None, permanent=(OSError,))
async def fetch(url: str, task: Task, cache: Cache, **rest: Any) -> list[str]:
    return [url, task.id, task.type, *task.data, str(task.priority), *rest]


@app.task
def own(url: str, task: Task = Task("", "")) -> str:  # noqa: B008 - the worker gives another one
    return url + task.id


assert_type(train.task(3), Task)
assert_type(train(3, Attempt(2)), str)
assert_type(own.task("https://..."), Task)
assert_type(resize("a", Size(1)), dict[str, int])  # a decorated function stays what it is


assert_type(resize.task("a", Size(1), width=3), Task)
resize.task("a")  # type: ignore[call-arg]  # the type checker checks what a task says
resize.task("a", Size(1), width="3")  # type: ignore[arg-type]
warrener.map(len, [1])  # type: ignore[arg-type]  # it is no handler


def batch() -> None:
    with warrener.run(app, [resize.task("a", Size(1)), *tasks()], queue="images", processes=4) as batch:
        assert_type(batch, Batch)
        for row in batch:
            assert_type(row, Result)
            assert_type((row.task_id, row.type, row.value, row.attempts), tuple[str, str, Any, int])
            assert_type((row.worker, row.started_at, row.processed_at), tuple[str, float, float])
            assert_type((row.duration, row.origin, row.wording), tuple[float, str, str])
        batch.wait()
        assert_type(batch.status(), Status)
        assert_type((batch.status().done, batch.status().eta), tuple[int, tuple[float, float] | None])
        assert_type(batch.failures(), list[Failure])
        failure = batch.failures()[0]
        assert_type((failure.task_id, failure.error, failure.message), tuple[str, str, str])
        assert_type(batch.summary, Summary | None)
        batch.cancel()
        batch.to_pandas()
    for row in warrener.run("app.py", "tasks.csv", type="resize", fresh=True, share=False, progress=False):
        assert_type(row, Result)
    for row in warrener.map(resize, ["a.jpg", {"file": "b.jpg"}], threads=2, concurrency=1).ordered():
        assert_type(row, Result)


async def batch_in_a_loop() -> None:
    async with warrener.map(fetch, (url for url in ["https://..."]), broker="amqp://host") as batch:
        assert_type(batch, AsyncBatch)
        async for row in batch:
            assert_type(row, Result)
        await batch.wait()
        assert_type(await batch.status(), Status)
        assert_type(await batch.failures(), list[Failure])
        assert_type(batch.summary, Summary | None)
        await batch.cancel()
        await batch.to_pandas()
        async for row in batch.ordered():
            assert_type(row, Result)
    async for row in warrener.map(fetch, ["https://..."]):
        assert_type(row, Result)


def tasks() -> Iterator[Task]:
    yield Task("one", "resize", {"file": "a.png", "size": {"width": 3}})
    yield Task("two", "fetch", {"url": "https://..."}, 9)
    yield Task(id="three", type="fetch", data={}, priority=0)


async def tasks_that_come() -> AsyncIterator[Task]:
    for task in tasks():
        yield task


def script() -> None:
    assert_type(warrener.publish(tasks()), int)
    assert_type(warrener.publish([Task("one", "fetch")], broker="amqp://host", queue="images"), int)
    for row in warrener.results():
        assert_type(row, dict[str, Any])
    rows = warrener.results(broker="sqlite:a.db", queue="images")
    assert_type(next(rows), dict[str, Any])
    assert_type(warrener.__version__, str)

    assert_type(warrener.publish(resize.task("a", Size(1)), app=app, timeout=5), int)
    assert_type(app.publish([resize.task("a", Size(1))], broker="amqp://host", timeout=5.0), int)
    app.check(Task("one", "fetch"))
    with Publisher(app=app) as publisher:
        assert_type(publisher, BlockingPublisher)
        assert_type(publisher.publish(tasks(), timeout=5), int)


async def service() -> None:
    async with Publisher() as publisher:
        assert_type(publisher, Publisher)
        assert_type(await publisher.publish(tasks()), int)
    async with Publisher("amqp://host", "images", delays=[1000, 2000]) as publisher:
        assert_type(await publisher.publish(tasks_that_come()), int)
        assert_type(await publisher.publish(Task("one", "fetch"), timeout=5), int)


def caught() -> str:
    try:
        script()
    except errors.MessageTooLarge as error:
        return f"{error.limit} bytes"
    except (errors.InvalidTask, errors.AppError, errors.QueueTaken) as error:
        mend: errors.UsageError = error
        return str(mend)
    except (
        errors.BrokerUnreachable,
        errors.AccessRefused,
        errors.QueueMissing,
        errors.QueueMismatch,
        errors.NotConfirmed,
    ) as error:
        broken: errors.BrokerError = error
        return str(broken)
    except (
        errors.ClusterUnreachable,
        errors.ClusterRefused,
        errors.ObjectMissing,
        errors.ObjectConflict,
        errors.ObjectInvalid,
    ) as error:
        cluster: errors.ClusterError = error
        return str(cluster)
    except (errors.NotReady, WarrenerError) as error:
        return str(error)
    return ""


def not_completed() -> tuple[int, int]:
    try:
        batch()
    except errors.TasksFailed as error:
        return error.failed, error.missing
    return 0, 0


def tested() -> None:
    with warrener.testing.run(app, [*tasks(), b'{"id": "four", "type": "fetch"}']) as batch:
        assert_type(batch, warrener.testing.Batch)
        result: warrener.testing.Result = batch.results["one"]
        assert_type((result.task_id, result.type, result.value), tuple[str, str, Any])
        failure: warrener.testing.Failure = batch.failures["two"]
        assert_type((failure.reason, failure.error, failure.message), tuple[str, str, str])
        assert_type((failure.traceback, failure.attempts, failure.output), tuple[str, int, str])
        attempt: warrener.testing.Attempt = batch.attempts[0]
        assert_type(attempt.outcome, Literal["completed", "delayed", "failed"])
        assert_type((attempt.number, attempt.delay, attempt.error), tuple[int, float | None, str])
