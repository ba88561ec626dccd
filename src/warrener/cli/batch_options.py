"""The options of verbs that begin a batch, and what they do before it begins."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

import click

from warrener.address import Address
from warrener.cli.asking import make_sure
from warrener.cli.connection import connected
from warrener.cli.ending import finish, guarded
from warrener.cli.options import broker_option, management_option, queue_option_for, yes_option
from warrener.provenance import queue_named_after

if TYPE_CHECKING:
    from collections.abc import Callable


share_option: Final = click.option(
    "--share", is_flag=True, help="Add to a queue that holds the batch of another file, host or app."
)
fresh_option: Final = click.option(
    "--fresh", is_flag=True, help="Start over: drop all that is on the queue first, after asking."
)
window_option: Final = click.option(
    "--window",
    type=click.IntRange(min=1000),
    metavar="N",
    default=1_000_000,
    help="At most so many tasks wait on the broker; the rest is published as they are done.",
)

max_failures_option: Final = click.option(
    "--max-failures",
    metavar="N|N%",
    help="Pause the batch and end once more tasks than this fail: a number, or a share of those that have ended.",
)


def takes_batch(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb with an argument `tasks` the options of a batch; its queue is named after the file of tasks."""

    @share_option
    @fresh_option
    @window_option
    @yes_option
    @broker_option
    @queue_option_for("named after the file of tasks")
    @management_option
    @functools.wraps(verb)
    def command(*, broker: str, queue: str | None, management: str | None, **given: Any) -> Any:
        with guarded():
            address = Address(broker, queue or queue_named_after(given["tasks"].path), management)
        return verb(address=address, **given)

    decorated: Callable[..., Any] = command
    return decorated


def may_start_over(address: Address, *, fresh: bool, yes: bool) -> None:
    """Ask whether what is on a queue may be dropped, where that is wanted and there is one."""
    if fresh and not yes and finish(_is_there(address)):
        make_sure(
            f"Drop all that is on queue {address.queue!r} on {address.shown}: waiting tasks, results and failures?"
        )


async def _is_there(address: Address) -> bool:
    from warrener.errors import QueueMissing

    async with connected(address) as broker:
        try:
            await broker.counts()
        except QueueMissing:
            return False
    return True
