"""The routes of one queue."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from warrener.address import Address
from warrener.errors import UsageError
from warrener.web import acting, failure_list, results
from warrener.web.answers import Refused, answer
from warrener.web.failure_filter import FailureFilter
from warrener.web.logbook import entries
from warrener.web.printed import printed
from warrener.web.selections import Selection, Selections
from warrener.web.tasks import task

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request

    from warrener.brokers import Broker
    from warrener.web.house import House
    from warrener.web.watch import Watch
    from warrener.web.watches import Watches
    from warrener.writers import Format

ONLY_SHOWS: Final = "this page only shows: start it with --allow-actions"
_VERBS: Final = ("pause", "resume", "cancel", "retry", "discard", "edit")
_KINDS: Final = {
    "jsonl": "application/x-ndjson",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
_MOST_IDS: Final = 10_000


_Parts: TypeAlias = "Callable[[Watch, Broker], AsyncIterator[bytes]]"


class Count(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `count` is given: a filter, or ids."""

    filter: FailureFilter | None = None
    ids: tuple[str, ...] | None = None


class QueueRoutes:
    """What there is about a queue.

    Args:
        house: Whose.
        watches: By which queues are read.
        is_proxied: Whether a proxy says who acts.
    """

    def __init__(self, house: House, watches: Watches, *, is_proxied: bool) -> None:
        self._house = house
        self._watches = watches
        self._is_proxied = is_proxied
        self._selections = Selections()

    def all(self) -> list[Route]:
        """The routes."""
        base = "/api/queues/{queue}"
        return [
            Route(f"{base}/stream", self.stream),
            Route(f"{base}/failures", self.failures),
            Route(f"{base}/failures.{{form}}", self.failures_file),
            Route(f"{base}/tasks", self.task),
            Route(f"{base}/output", self.output),
            Route(f"{base}/results", self.results),
            Route(f"{base}/results.{{form}}", self.results_file),
            Route(f"{base}/journal", self.journal),
            Route(f"{base}/actions/count", self.count, methods=["POST"]),
            Route(f"{base}/actions/{{verb}}", self.act, methods=["POST"]),
        ]

    async def stream(self, request: Request) -> Response:
        """Server-sent events."""
        queue = _queue(request)

        async def events() -> AsyncIterator[bytes]:
            async with self._watches.of(queue) as watch:
                async for text in watch.stream():
                    yield text

        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(events(), headers=headers, media_type="text/event-stream")

    async def failures(self, request: Request) -> Response:
        """A page of failures, and their groups."""
        async with self._watches.of(_queue(request)) as watch:
            query = request.query_params
            return answer(await failure_list.listed(watch, query, query.getlist("where")))

    async def failures_file(self, request: Request) -> Response:
        """Failures as a file."""
        query, form = request.query_params, _form(request, ("jsonl", "csv"))
        wanted = FailureFilter.of(query, query.getlist("where"))

        def parts(watch: Watch, _: Broker) -> AsyncIterator[bytes]:
            return failure_list.download(watch, wanted, form)

        return await self._file(request, parts, "failures", form)

    async def task(self, request: Request) -> Response:
        """One task. Its id is in the query: as a part of a path, `..` would not come here."""
        task_id = _task_id(request)
        async with self._watches.of(_queue(request)) as watch:
            return answer(await task(watch, task_id))

    async def output(self, request: Request) -> Response:
        """What a task that has completed has printed."""
        task_id = _task_id(request)
        async with self._watches.of(_queue(request)) as watch:
            return answer(await printed(watch, task_id))

    async def results(self, request: Request) -> Response:
        """The newest rows, or the one of a task."""
        async with self._watches.of(_queue(request)) as watch:
            return answer(await results.newest(watch, request.query_params))

    async def results_file(self, request: Request) -> Response:
        """All rows as a file."""
        if request.path_params["form"] == "parquet":
            return await self._parquet_file(request)
        form = _form(request, ("jsonl", "json", "csv"))

        def parts(_: Watch, broker: Broker) -> AsyncIterator[bytes]:
            return results.download(broker, form)

        return await self._file(request, parts, "results", form)

    async def _parquet_file(self, request: Request) -> Response:
        from warrener.writers.parquet import Table

        try:
            table = await asyncio.to_thread(Table)
        except UsageError as error:
            raise Refused(501, str(error)) from error
        return await self._file(
            request, lambda _, broker: results.download_parquet(broker, table), "results", "parquet"
        )

    async def journal(self, request: Request) -> Response:
        """What was done, by whom."""
        async with self._watches.of(_queue(request)) as watch:
            return answer({"entries": await entries(await watch.broker())})

    async def count(self, request: Request) -> Response:
        """How many failures an action would touch."""
        queue = _queue(request)
        what: Count = acting.read_body(await request.body(), Count)
        if (what.filter is None) == (what.ids is None):
            raise UsageError("what is counted is either a filter or ids: {} as filter means all failures")
        if what.ids and len(what.ids) > _MOST_IDS:
            raise UsageError(f"{len(what.ids):,} ids are too many: up to {_MOST_IDS:,}, or a filter")
        async with self._watches.of(queue) as watch:
            store = await watch.whole_failures()
        wanted = what.filter or FailureFilter()
        names = await asyncio.to_thread(store.names, wanted, what.ids)
        selection = Selection(queue, names)
        groups = [] if what.ids is not None else await asyncio.to_thread(store.groups, wanted)
        members = ("reason", "error", "fingerprint", "count")
        return answer(
            {
                "count": selection.count,
                "selection": self._selections.keep(selection),
                "groups": [{name: group[name] for name in members} for group in groups],
            }
        )

    async def act(self, request: Request) -> Response:
        """Do something."""
        verb, queue = request.path_params["verb"], _queue(request)
        if verb not in _VERBS:
            raise Refused(404, f"there is no action {verb[:100]!r}: there are count, {', '.join(_VERBS)}")
        if not self._house.can_act:
            raise Refused(403, ONLY_SHOWS)
        forwarded = request.headers.get("x-forwarded-user")
        by = acting.who_acts(self._house.user, forwarded, is_proxied=self._is_proxied)
        body = await request.body()
        async with self._watches.of(queue) as watch:
            broker = await watch.broker()
            try:
                return answer(await self._do(verb, queue, broker, by, body))
            finally:
                watch.look_again()

    async def _do(self, verb: str, queue: str, broker: Broker, by: str, body: bytes) -> acting.Done:
        match verb:
            case "pause":
                return await acting.pause(broker, by)
            case "resume":
                return await acting.resume(broker, by)
            case "cancel":
                return await acting.cancel(broker, by, acting.read_body(body, acting.Cancel))
            case "edit":
                return await acting.edit(broker, by, acting.read_body(body, acting.Edit))
        take: acting.Take = acting.read_body(body, acting.Take)
        selection = self._selections.find(take.selection, queue)
        done = acting.retry if verb == "retry" else acting.discard
        return await done(broker, by, selection)

    async def _file(self, request: Request, parts: _Parts, what: str, form: str) -> Response:
        queue = _queue(request)
        async with self._watches.of(queue) as watch:
            broker = await watch.broker()  # so that what is away is said as an error

        async def written() -> AsyncIterator[bytes]:
            async with self._watches.of(queue):
                async for part in parts(watch, broker):
                    yield part

        headers = {
            "Content-Disposition": f'attachment; filename="{queue}.{what}.{form}"',
            "Cache-Control": "no-store",
        }
        return StreamingResponse(written(), headers=headers, media_type=_KINDS[form])


def _form(request: Request, forms: tuple[Format, ...]) -> Format:
    form: str = request.path_params["form"]
    for known in forms:
        if form == known:
            return known
    raise Refused(404, f"there is no file in the form {form[:50]!r}: there are {', '.join(forms)}")


def _task_id(request: Request) -> str:
    """The task that is asked for.

    Raises:
        UsageError: None is.
    """
    if task_id := request.query_params.get("id"):
        return task_id
    raise UsageError("which task is wanted: ?id=ID")


def _queue(request: Request) -> str:
    """The queue that a request is about.

    Raises:
        UsageError: No queue can have this name.
    """
    name: str = request.path_params["queue"]
    return Address(queue=name).queue
