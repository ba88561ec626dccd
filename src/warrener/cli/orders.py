"""`warrener pause`, `resume` and `cancel`: orders to all workers of a queue."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from warrener.cli.connection import connected
from warrener.cli.ending import finish
from warrener.cli.holding import held_by, hold_text, types_text
from warrener.cli.options import changes
from warrener.cli.printing import counted, say
from warrener.provenance import who

if TYPE_CHECKING:
    from warrener.address import Address


@click.command()
@changes
def pause(address: Address) -> None:
    """Have all workers take nothing more: what runs ends, what has not begun is returned. They wait until `resume`.

    Example: warrener pause --queue images
    """
    from warrener.orders import Paused, current, give

    async def main() -> None:
        async with connected(address) as broker:
            orders = await current(broker)
            if (hold := orders.hold) and not hold.limit:
                say(f"queue {address.queue!r} is {hold_text(hold, _resume(address))}")
                return
            await give(broker, Paused(who(), time.time()))
        say(
            f"queue {address.queue!r} is paused: what runs ends, and nothing begins until `{_resume(address)}`"
        )

    finish(main())


@click.command()
@changes
def resume(address: Address) -> None:
    """Have workers take tasks again, where they were paused or the queue was cancelled, wholly or some types.

    Example: warrener resume --queue images
    """
    from warrener.orders import Resumed, current, give

    async def main() -> None:
        async with connected(address) as broker:
            orders = await current(broker)
            if not (orders.hold or orders.types):
                say(f"there is nothing to resume: queue {address.queue!r} is neither paused nor cancelled")
                return
            await give(broker, Resumed(who(), time.time()))
            waiting = (await broker.counts()).put_aside
        say(f"queue {address.queue!r} goes on: {counted(waiting, 'task')} waiting")
        if orders.types:
            say(
                f"what ended as cancelled can be tried again: warrener failures retry --reason cancelled{address.flags()}"
            )

    finish(main())


@click.command()
@click.option(
    "--type",
    "types",
    multiple=True,
    metavar="TYPE",
    help="Only tasks of this type, which workers end as failed, reason cancelled; may be repeated.",
)
@click.option("--running", is_flag=True, help="Kill what runs, too; it costs no attempt.")
@changes
def cancel(types: tuple[str, ...], running: bool, address: Address) -> None:
    """Have workers take nothing more of what waits on a queue. It stays there, and those that drain end.

    `warrener resume` takes it back, and so does `warrener run` of the same batch, which goes on where it was.

    Example: warrener cancel --queue images --running
    """
    from warrener.orders import Cancelled, current, give

    async def main() -> None:
        async with connected(address) as broker:
            before = await current(broker)
            await give(broker, Cancelled(who(), time.time(), types, running))
            counts = await broker.counts()
        if types:
            say(f"{types_text(types)}; `{_resume(address)}` takes that back")
            return
        if before.cancelled and (before.cancelled.running or not running):
            say(f"queue {address.queue!r} had been cancelled before, {held_by(before.cancelled)}")
        waiting = counts.put_aside
        say(
            f"{counted(waiting, 'task')} of queue {address.queue!r} {'is' if waiting == 1 else 'are'} cancelled and kept; "
            f"`{_resume(address)}` takes that back, and so does the same `run` or `k8s submit`"
        )
        if counts.processing and not running:
            say(f"what runs may end ({counted(counts.processing, 'task')}); --running kills it")

    finish(main())


def _resume(address: Address) -> str:
    return f"warrener resume{address.flags()}"
