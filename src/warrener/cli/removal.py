"""`warrener purge` and `delete`: what is in a queue, and the queue itself."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from warrener.cli.asking import make_sure
from warrener.cli.connection import connected
from warrener.cli.ending import finish
from warrener.cli.options import takes_address, yes_option
from warrener.cli.printing import say
from warrener.provenance import who

if TYPE_CHECKING:
    from warrener.address import Address
    from warrener.brokers import Broker


@click.command()
@yes_option
@takes_address
def purge(yes: bool, address: Address) -> None:
    """Drop all tasks that wait, all results and all failures; the queue stays.

    Example: warrener purge --queue images --yes
    """
    from warrener.journal import note_purged

    async def main() -> None:
        async with connected(address) as open_broker:
            count = await open_broker.purge()
            await note_purged(open_broker, who(), time.time())  # so that the same file may be published again
            await _lift_cancellation(open_broker)
        say(f"{count:,} tasks, results and failures dropped from {address.queue!r}")

    _ask(address, "Drop all waiting tasks, results and failures", yes)
    finish(main())


@click.command()
@yes_option
@takes_address
def delete(yes: bool, address: Address) -> None:
    """Remove a queue with everything in it.

    Example: warrener delete --queue images --yes
    """

    async def main() -> None:
        async with connected(address) as open_broker:
            await open_broker.delete()
        say(f"there is no queue {address.queue!r} on {address.shown} any more")

    _ask(address, "Remove the queue with its tasks, results and failures", yes)
    finish(main())


async def _lift_cancellation(broker: Broker) -> None:
    """What was cancelled is gone: what comes may run."""
    from warrener.errors import AccessRefused
    from warrener.orders import Resumed, current, give

    with suppress(AccessRefused):
        if (await current(broker)).is_liftable_by_run:
            await give(broker, Resumed(who(), time.time(), is_by_run=True))


def _ask(address: Address, question: str, yes: bool) -> None:
    if not yes:
        make_sure(f"{question} ({address.queue!r} on {address.shown})?")
