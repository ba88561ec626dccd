"""`warrener.run` and `warrener.map`."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable, Mapping, Sized
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from warrener.address import QUEUE_VARIABLE, Address
from warrener.api.batch import Batch
from warrener.api.place import Place, home_of, place_of, program
from warrener.api.work import Work
from warrener.codec import encode
from warrener.errors import AppError, InvalidTask, UsageError
from warrener.importing import refuse_while_importing
from warrener.local_run import Plan
from warrener.provenance import begun_from, begun_now, queue_named, queue_named_after
from warrener.sources import given_tasks, read
from warrener.worker.manifest import ChildSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from warrener.app import App, HandlerFunction
    from warrener.handler import Handler
    from warrener.journal import Begun
    from warrener.models import Task
    from warrener.sources import Line
    from warrener.worker.manifest import AppManifest


def run(
    app: App | str | os.PathLike[str],
    tasks: Iterable[Task | dict[str, Any]] | str | os.PathLike[str],
    *,
    type: str = "",
    broker: str | None = None,
    queue: str | None = None,
    processes: int | None = None,
    threads: int = 1,
    concurrency: int = 32,
    fresh: bool = False,
    share: bool = False,
    progress: bool = True,
) -> Batch:
    """Run a batch of tasks here, in processes of its own: see `Batch` for what it gives and when it waits.

    The same program run again goes on where it was: what has a row is not run again, what is new or changed is. A task
    without an id gets one from its content.

    Args:
        app: An `App` that is made at the top level of a file, or what the command line takes: `app.py`, `package.module:name`.
        tasks: What `resize.task(...)` makes, a `Task`, or a dict with `type` and `data` (`id`, `priority`), of each some; an
            iterable of them is read in a thread of its own, as they are wanted. Or the path of a file of tasks.
        type: The type of tasks in a file, or of dicts, that bring none.
        broker: As `Address` takes it; by default what WARRENER_BROKER says, or else the embedded broker in `.warrener`.
        queue: By default what WARRENER_QUEUE says, or else named after the program, or after the file of tasks.
        processes: How many; by default one for each CPU.
        threads: Tasks at a time in each process, for plain handlers.
        concurrency: Tasks at a time in each process, for apps with `async` handlers.
        fresh: Drop all that is on the queue first.
        share: Add to a queue that holds another batch.
        progress: Show how far it is, where stderr is a terminal, or in a notebook.

    Raises:
        UsageError: The app is in no file, or the address is wrong. All else is raised by the batch.
    """
    refuse_while_importing("warrener.run")
    place = place_of(app)
    if isinstance(tasks, str | os.PathLike):
        path = os.fspath(tasks)
        begun, name = begun_now(path, place.where), queue_named_after(path)

        def lines() -> Iterator[Line]:
            return read(path, task_type=type)
    else:
        _checked(tasks, "tasks")
        title, source = program()
        name = queue_named(title or _stem(place))
        begun = begun_from(source, place.where, _length(tasks))

        def lines() -> Iterator[Line]:
            return given_tasks(_typed(tasks, type), title or "this program")

    options = _Options(processes, threads, concurrency, fresh=fresh, share=share, progress=progress)
    return _batch(Address.here(broker, queue or _environment_queue() or name), place, begun, lines, options)


def map(  # noqa: A001 - it is `warrener.map`
    handler: HandlerFunction[..., Any],
    items: Iterable[Any],
    *,
    broker: str | None = None,
    queue: str | None = None,
    processes: int | None = None,
    threads: int = 1,
    concurrency: int = 32,
    fresh: bool = False,
    share: bool = False,
    progress: bool = True,
) -> Batch:
    """Run a handler once for each item: as `run`, with a task for each.

    Args:
        handler: A function that is decorated with `@app.task`, in a file.
        items: A dict has the arguments by name; anything else is the handler's first parameter that has no default, or its
            first one. Rows come as they are done; `Batch.ordered` has them in the order of the items.
        broker: As `run` takes it.
        queue: As `run` takes it; by default named after the program and the handler.
        processes: As `run` takes it.
        threads: As `run` takes it.
        concurrency: As `run` takes it.
        fresh: As `run` takes it.
        share: As `run` takes it.
        progress: As `run` takes it.

    Raises:
        UsageError: The function is no handler, its app is in no file, or the address is wrong. All else is raised by the batch.
    """
    refuse_while_importing("warrener.map")
    _checked(items, "items")
    app, found = home_of(handler)
    place = place_of(app)
    title, source = program()
    name = queue_named(f"{title}-{found.name}" if title else found.name)
    begun = begun_from(f"{source}: map {found.name}", place.where, _length(items))
    options = _Options(processes, threads, concurrency, fresh=fresh, share=share, progress=progress)
    return _batch(
        Address.here(broker, queue or _environment_queue() or name),
        place,
        begun,
        lambda: given_tasks(_bound(found, items), "the items"),
        options,
    )


class _Options(NamedTuple):
    processes: int | None
    threads: int
    concurrency: int
    fresh: bool
    share: bool
    progress: bool


def _batch(
    address: Address, place: Place, begun: Begun, lines: Callable[[], Iterator[Line]], options: _Options
) -> Batch:
    settings = ChildSettings(
        place.where, threads=options.threads, concurrency=options.concurrency, search=place.search
    )
    for name in ("processes", "threads", "concurrency"):
        if (value := getattr(options, name)) is not None and value < 1:
            raise UsageError(f"{name} must be 1 or more, not {value}")

    def tasks(manifest: AppManifest) -> Iterator[Line]:
        if missing := place.types - manifest.handlers.keys():
            raise AppError(
                f"{place.where} by itself has no handler for {', '.join(repr(name) for name in sorted(missing))}, which this program has "
                f"added: name the module that has them all, as in warrener.run('package.module:app', ...)"
            )
        return lines()

    processes = options.processes or os.cpu_count() or 1
    plan = Plan(address, begun, settings, processes, options.share, options.fresh)
    return Batch(Work(plan, tasks, shows_progress=options.progress))


def _bound(handler: Handler, items: Iterable[Any]) -> Iterator[Task]:
    """A task for each item."""
    for number, item in enumerate(items, 1):
        try:
            task = handler.task((), item) if isinstance(item, dict) else handler.task_of(item)
        except InvalidTask as error:
            raise InvalidTask(f"item {number}: {error}") from error
        yield replace(task, origin=_told(item, task))


def _told(item: Any, task: Task) -> str:
    """An item for people. Not its number: its row may be of an earlier call, in which it had another one."""
    if isinstance(item, str | os.PathLike):
        return str(os.fspath(item))
    (value,) = [task.data] if isinstance(item, dict) else task.data.values()
    return encode(value).decode()


def _typed(tasks: Iterable[Any], type: str) -> Iterator[Any]:
    for task in tasks:
        yield {"type": type, **task} if type and isinstance(task, dict) else task


def _checked(given: Any, what: str) -> None:
    if isinstance(given, AsyncIterable):
        raise UsageError(f"the {what} come from an async iterable, which is not read: give a plain one")
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise UsageError(
            f"the {what} must be several, in a list or any iterable, not one {type(given).__name__}"
        )


def _length(given: Any) -> int | None:
    return len(given) if isinstance(given, Sized) else None


def _stem(place: Place) -> str:
    source = place.where.partition(":")[0]
    return os.path.basename(source).removesuffix(".py")  # noqa: PTH119 - a module's name is no path


def _environment_queue() -> str | None:
    return os.environ.get(QUEUE_VARIABLE)
