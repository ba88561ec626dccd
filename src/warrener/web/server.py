"""The server: it ends at once when it is told to, whatever streams are open."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import uvicorn

from warrener.web.app import make_page
from warrener.web.watches import LINGER

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from warrener.web.door import Door
    from warrener.web.house import House

_END_WITHIN: Final = 1.0  # seconds


async def serve(
    house: House, door: Door, listener: socket.socket, until: asyncio.Event, linger: float = LINGER
) -> None:
    """Serve the page until an event is set, or this is cancelled.

    Args:
        house: What the page is about.
        door: Who may come in.
        listener: As `warrener.web.listening.listen` gives it; it is closed in the end.
        until: Ends it.
        linger: See `warrener.web.watches`.
    """
    page = make_page(house, door, linger)
    config = uvicorn.Config(
        page.app,
        log_config=None,
        access_log=False,
        server_header=False,
        http="h11",
        ws="none",
        proxy_headers=False,
        timeout_graceful_shutdown=1,
        loop="none",
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    ending = asyncio.create_task(until.wait())
    try:
        await asyncio.wait({serving, ending}, return_when=asyncio.FIRST_COMPLETED)
        page.watches.end_streams()
        server.should_exit = True
        await asyncio.wait({serving}, timeout=_END_WITHIN)
        server.force_exit = True
        await asyncio.wait({serving}, timeout=_END_WITHIN)
    finally:
        for task in (serving, ending):
            task.cancel()
        await asyncio.gather(serving, ending, return_exceptions=True)
        await page.watches.close()
        with suppress(OSError):
            listener.close()
    if serving.done() and not serving.cancelled():
        serving.result()


class _Server(uvicorn.Server):
    """One that leaves signals to whoever started it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
