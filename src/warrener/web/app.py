"""The routes."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from warrener.errors import WarrenerError
from warrener.version import VERSION
from warrener.web.answers import answer, on_bug, on_error, on_missing, on_wrong_method
from warrener.web.files import Files
from warrener.web.guard import Guard
from warrener.web.listing import Listing
from warrener.web.queue_routes import ONLY_SHOWS, QueueRoutes
from warrener.web.watches import Watches

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from warrener.web.door import Door
    from warrener.web.house import House


class Page(NamedTuple):
    """The app, and what it reads."""

    app: Starlette
    watches: Watches


def make_page(house: House, door: Door, linger: float) -> Page:
    """The page's app.

    Args:
        house: What it is about.
        door: Who may come in.
        linger: See `Watches`.
    """
    watches = Watches(house, linger)
    routes, queues = _Routes(house, watches), QueueRoutes(house, watches, is_proxied=door.proxy is not None)

    @asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await watches.close()

    app = Starlette(
        routes=[
            Route("/", routes.page),
            Route("/healthz", routes.health),
            Route("/metrics", routes.metrics),
            Route("/static/{name:path}", routes.file),
            Route("/api/me", routes.me),
            Route("/api/queues", routes.queues),
            *queues.all(),
        ],
        middleware=[Middleware(Guard, door=door)],
        exception_handlers={
            404: on_missing,
            405: on_wrong_method,
            WarrenerError: on_error,
            Exception: on_bug,
        },
        lifespan=life,
    )
    return Page(app, watches)


class _Routes:
    def __init__(self, house: House, watches: Watches) -> None:
        self._house = house
        self._files = Files()
        self._listing = Listing(house, watches)

    async def page(self, request: Request) -> Response:
        return self._files.page(request.headers.get("if-none-match", ""), is_packed=_takes_gzip(request))

    async def file(self, request: Request) -> Response:
        return self._files.file(
            request.path_params["name"],
            request.headers.get("if-none-match", ""),
            is_versioned="v" in request.query_params,
            is_packed=_takes_gzip(request),
        )

    async def health(self, _: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def metrics(self, request: Request) -> Response:
        from warrener.metrics.queue import of_queues

        queues = {row["queue"]: row for row in (await self._listing.look())["queues"]}
        content_type, body = await asyncio.to_thread(of_queues, queues, request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": content_type, "Cache-Control": "no-store"})

    async def me(self, _: Request) -> Response:
        house = self._house
        return answer(
            {
                "version": VERSION,
                "broker": house.shown,
                "can_act": house.can_act,
                "why_not": None if house.can_act else ONLY_SHOWS,
                "queue": house.queue,
                "theme": None,
                "user": house.user,
            }
        )

    async def queues(self, _: Request) -> Response:
        return answer(await self._listing.look())


def _takes_gzip(request: Request) -> bool:
    named = (part.partition(";") for part in request.headers.get("accept-encoding", "").split(","))
    return any(name.strip() == "gzip" and weight.strip() not in {"q=0", "q=0.0"} for name, _, weight in named)
