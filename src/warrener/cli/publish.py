"""`warrener publish`: tasks from a file or stdin."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import click

from warrener.cli.batch_options import window_option
from warrener.cli.connection import connected
from warrener.cli.ending import failed, finish, guarded
from warrener.cli.files import TaskFile, takes_tasks
from warrener.cli.hint import again
from warrener.cli.options import AT_LEAST_ONE, takes_address
from warrener.cli.printing import counted, say
from warrener.cli.progress import Progress
from warrener.cli.surroundings import stop_signals
from warrener.errors import QueueTaken
from warrener.exit_codes import Exit
from warrener.provenance import begun_now
from warrener.status_line import rate

if TYPE_CHECKING:
    from collections.abc import Callable

    from warrener.address import Address
    from warrener.brokers import Broker
    from warrener.publication import Publication

_SHOW_EVERY_SECONDS: Final = 0.5


@click.command()
@click.argument("tasks")
@takes_tasks
@click.option(
    "--start-line",
    type=AT_LEAST_ONE,
    metavar="N",
    default=1,
    help="Leave out what stands before this line, as of a stream that is given again.",
)
@window_option
@takes_address
def publish(tasks: TaskFile, start_line: int, window: int, address: Address) -> None:
    """Publish tasks, each one confirmed by the broker.

    TASKS is a JSONL file, a small JSON array, a table (.csv, .tsv) whose columns are the data, or - for stdin; any of them
    may be packed with gzip.

    The same file again goes on where it was, and publishes what is new in it; lines on stdin are new tasks each time.

    Example: warrener publish tasks.jsonl --queue images
    """
    from warrener.publication import Publication

    with guarded():
        tasks.check_begin()
        publication = Publication(begun_now(tasks.path), is_shared=True, window=window)
    tasks.start_line = start_line
    finish(_publish(address, publication, tasks))
    if tasks.is_all_invalid:
        raise click.exceptions.Exit(Exit.FAILED)


async def _publish(address: Address, publication: Publication, source: TaskFile) -> None:
    stopped = asyncio.Event()
    if publishing := asyncio.current_task():

        def stop() -> None:
            stopped.set()
            publishing.cancel()

        for number in stop_signals():
            asyncio.get_running_loop().add_signal_handler(number, stop)
    async with connected(address) as broker:
        try:
            await _publish_to(broker, publication, source)
        except QueueTaken:
            raise
        except BaseException as error:
            are = "task is" if publication.confirmed == 1 else "tasks are"
            say(
                f"{publication.confirmed:,} {are} confirmed; go on with: {_way_on(address, publication, source)}"
            )
            if isinstance(error, asyncio.CancelledError):
                code = Exit.STOPPED if stopped.is_set() else Exit.INTERRUPTED
                raise failed("interrupted", code) from None
            raise
    were_there = publication.total - publication.confirmed
    say(
        f"{counted(publication.confirmed, 'task')} published to {address.queue!r} on {address.shown}"
        f"{f', {were_there:,} had been before' if were_there else ''}"
        f"{f', {source.left_out_text}' if source.left_out else ''}"
    )


def _way_on(address: Address, publication: Publication, source: TaskFile) -> str:
    """The same command; of what comes from stdin only the stream itself knows what was read."""
    return again(address, start_line=publication.resume_line) if source.is_stdin else again(address)


async def _publish_to(broker: Broker, publication: Publication, source: TaskFile) -> None:
    from warrener.latest import restate
    from warrener.publisher import ensure
    from warrener.retry import RetryPolicy, delay_schedule

    start = time.monotonic()
    with Progress("publishing") as progress:

        def show(_: int = 0) -> None:
            speed = rate(publication.confirmed / (time.monotonic() - start))
            blocked_reason = publication.blocked_reason or broker.blocked_reason
            if publication.window.is_full:
                most = publication.window.most
                blocked_reason = f"{most:,} tasks wait there (--window): the rest follows as they are done"
            progress.show(f"{publication.confirmed:,} confirmed, {speed}", 0, None, blocked_reason)

        showing = asyncio.create_task(_again_and_again(show))
        try:
            await ensure(broker, delay_schedule([RetryPolicy()]))
            await publication.begin(broker)
            lines = source.read(namespace=publication.namespace)
            await publication.publish(broker, lines, show)
        finally:
            showing.cancel()
    if publication.confirmed < publication.total:
        await restate(broker, publication.begun.run, publication.marks)
    await publication.finish(broker, 0)


async def _again_and_again(show: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(_SHOW_EVERY_SECONDS)
        show()
