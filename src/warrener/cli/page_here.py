"""The page served by this process, until somebody ends it."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING, Final

import click

from warrener.cli.printing import say
from warrener.cli.surroundings import stop_signals

if TYPE_CHECKING:
    import socket

    from warrener.web.door import Door
    from warrener.web.house import House

port_option: Final = click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="N",
    help="By default 8377, or a free one where that is taken.",
)
allow_actions_option: Final = click.option(
    "--allow-actions", is_flag=True, help="Let the page retry, discard, edit, pause, resume and cancel, too."
)
open_option: Final = click.option("--open", "is_opened", is_flag=True, help="Open it in your browser.")


def announce(
    door: Door, listener: socket.socket, queue: str | None, *, can_act: bool, is_opened: bool
) -> None:
    """Say where the page is, and open it where that is wanted."""
    from warrener.web.listening import link

    address = link(door, listener.getsockname()[1], queue)
    way = "" if can_act else " (it only shows; --allow-actions lets it act)"
    say(f"page: {address}{way}; Ctrl-C ends it")
    if is_opened:
        click.launch(address)


async def serve_here(
    house: House, door: Door, listener: socket.socket, *, ends_with_stdin: bool = False
) -> None:
    """Serve it until a signal says stop, or stdin ends, where that is to end it."""
    from warrener.web.server import serve

    until = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, *stop_signals()):
        loop.add_signal_handler(number, until.set)
    if ends_with_stdin:
        loop.add_reader(sys.stdin, until.set)
    await serve(house, door, listener, until)
