"""`warrener publish`: tasks from a file or stdin."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import click

from warrener.cli.connection import connected
from warrener.cli.ending import failed, finish
from warrener.cli.files import TaskFile
from warrener.cli.hint import again
from warrener.cli.options import skip_invalid_option, start_line_option, takes_address, type_option
from warrener.cli.printing import counted, say
from warrener.cli.progress import Progress, rate
from warrener.exit_codes import Exit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from warrener.address import Address
    from warrener.brokers import Broker
    from warrener.models import Task

_SHOW_EVERY_SECONDS: Final = 0.5


@click.command()
@click.argument("tasks")
@type_option
@start_line_option
@skip_invalid_option
@takes_address
def publish(tasks: str, task_type: str, start_line: int, skip_invalid: bool, address: Address) -> None:
    """Publish tasks, each one confirmed by the broker.

    TASKS is a JSONL file, a CSV file whose columns are the data, or - for JSONL on stdin.

    Example: warrener publish tasks.jsonl --queue images
    """
    finish(_publish(address, _Publishing(TaskFile(tasks, task_type, start_line, skip_invalid))))


class _Publishing:
    """A file on its way: how much of it is read, left out and confirmed."""

    def __init__(self, source: TaskFile) -> None:
        from warrener.publisher import Position

        self.left_out = 0
        self.confirmed = 0
        self._source = source
        self._position = Position(source.start_line)

    def tasks(self) -> Iterator[Task]:
        """The tasks of the file, from its start line on."""
        for number, task in self._source.read(self._leave_out, start_line=self._source.start_line):
            self._position.note(number)
            yield task

    def confirm(self, confirmed: int) -> None:
        """So many are confirmed."""
        self.confirmed = confirmed
        self._position.confirm(confirmed)

    def say_how_to_go_on(self, address: Address) -> None:
        """Say what is done, and the command for the rest."""
        are = "task is" if self.confirmed == 1 else "tasks are"
        command = again(address, start_line=self._position.resume_line)
        say(f"{self.confirmed:,} {are} confirmed; go on with: {command}")

    def _leave_out(self, sentence: str) -> None:
        self.left_out += 1
        say(f"warrener: left out: {sentence}")


async def _publish(address: Address, publishing: _Publishing) -> None:
    from warrener.publisher import ensure
    from warrener.retry import RetryPolicy, delay_schedule

    async with connected(address) as open_broker:
        await ensure(open_broker, delay_schedule([RetryPolicy()]))
        try:
            await _publish_to(open_broker, publishing)
        except asyncio.CancelledError:
            publishing.say_how_to_go_on(address)
            raise failed("interrupted", Exit.INTERRUPTED) from None
        except BaseException:
            publishing.say_how_to_go_on(address)
            raise
    left_out = f", {counted(publishing.left_out, 'invalid line')} left out" if publishing.left_out else ""
    say(
        f"{counted(publishing.confirmed, 'task')} published to {address.queue!r} on {address.shown}{left_out}"
    )


async def _publish_to(broker: Broker, publishing: _Publishing) -> None:
    from warrener.bridge import Bridge
    from warrener.publisher import publish_all

    session = broker.publish_session()
    start = time.monotonic()
    with Progress("publishing") as progress:

        def show(_: int = 0) -> None:
            publishing.confirm(session.confirmed)
            speed = rate(session.confirmed / (time.monotonic() - start))
            progress.show(f"{session.confirmed:,} confirmed, {speed}", 0, None, broker.blocked_reason)

        showing = asyncio.create_task(_again_and_again(show))
        try:
            await publish_all(session, Bridge(publishing.tasks()).start(), show)
        finally:
            showing.cancel()
            publishing.confirm(session.confirmed)


async def _again_and_again(show: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(_SHOW_EVERY_SECONDS)
        show()
