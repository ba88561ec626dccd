"""`warrener ui`: the page."""

from __future__ import annotations

import socket
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from warrener.address import EMBEDDED, Address
from warrener.cli.connection import connected
from warrener.cli.ending import finish, guarded
from warrener.cli.options import broker_option, management_option, queue_option_for
from warrener.cli.page_here import allow_actions_option, announce, open_option, port_option, serve_here
from warrener.provenance import who

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator


@click.command()
@click.option(
    "--host",
    metavar="ADDRESS",
    default="127.0.0.1",
    help="Where to listen. Anything but this machine's own 127.0.0.1 or ::1 lets in whoever has the link with its token.",
)
@port_option
@allow_actions_option
@click.option(
    "--behind-proxy",
    metavar="NAME",
    help="A proxy that is reached by this name lets in only who may, so that no token is needed; who it is it says as "
    "X-Forwarded-User. Whoever gets past the proxy gets everything.",
)
@open_option
@click.option("--listener", type=int, hidden=True)  # a socket's descriptor, from `page_beside`
@broker_option
@queue_option_for("all of them")
@management_option
def ui(
    host: str,
    port: int | None,
    allow_actions: bool,
    behind_proxy: str | None,
    is_opened: bool,
    listener: int | None,
    broker: str,
    queue: str | None,
    management: str | None,
) -> None:
    """Show the page: how far each queue is, what runs, what failed and why, in your browser.

    It only shows, unless --allow-actions is given, and only to you on this machine, unless --host says otherwise.

    Example: warrener ui --queue images
    """
    from warrener.web.door import Door
    from warrener.web.house import House
    from warrener.web.installed import check_installed
    from warrener.web.listening import listen

    with guarded():
        check_installed()
        address = Address(broker, queue, management) if queue else Address(broker, management=management)
        door = Door(host, behind_proxy)
        place = listen(host, port) if listener is None else socket.socket(fileno=listener)
    with _listed(address) as names:
        house = House(
            address.shown if address.broker != EMBEDDED else ".warrener",
            lambda name: connected(replace(address, queue=name)),
            lambda: _led(names, queue),
            queue,
            allow_actions,
            who(),
        )
        if listener is None:
            announce(door, place, queue, can_act=allow_actions, is_opened=is_opened)
        finish(serve_here(house, door, place, ends_with_stdin=listener is not None))


@contextmanager
def _listed(address: Address) -> Iterator[Callable[[], Awaitable[list[str]]]]:
    """What lists a broker's queues, again and again."""
    from warrener.cli.finding import embedded_queues

    async def here() -> list[str]:
        return embedded_queues() if address.broker == EMBEDDED else [address.queue]

    if address.is_embedded or address.is_in_memory or address.place is not None:
        yield here
        return
    from warrener.brokers.rabbitmq.management import Management

    with closing(Management(address)) as management:
        yield management.journaled_queues


async def _led(list_queues: Callable[[], Awaitable[list[str]]], asked: str | None) -> list[str]:
    """The queues to list: the one that was asked for is among them, and leads."""
    names = await list_queues()
    return [asked, *(name for name in names if name != asked)] if asked else names
