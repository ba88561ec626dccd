"""`warrener publish`: tasks from a file or stdin."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import Iterator
from typing import Annotated

import typer

from warrener.address import DEFAULT_QUEUE, EMBEDDED, Address
from warrener.cli.connection import connected
from warrener.cli.options import BrokerOption, ManagementOption, QueueOption
from warrener.cli.printing import EXIT_INTERRUPTED, Progress, counted, failed, finish, rate, say
from warrener.models import Task


def publish(
    tasks: Annotated[
        str,
        typer.Argument(help="A JSONL file, a CSV file (its columns are the data), or - for JSONL on stdin."),
    ],
    task_type: Annotated[
        str, typer.Option("--type", metavar="TYPE", help="The type of tasks that bring none; CSV needs it.")
    ] = "",
    start_line: Annotated[int, typer.Option(min=1, metavar="N", help="Begin at this line of the file.")] = 1,
    skip_invalid: Annotated[
        bool,
        typer.Option("--skip-invalid", help="Leave out invalid lines and count them, instead of stopping."),
    ] = False,
    broker: BrokerOption = EMBEDDED,
    queue: QueueOption = DEFAULT_QUEUE,
    management: ManagementOption = None,
) -> None:
    """Publish tasks, each one confirmed by the broker.

    Example: warrener publish tasks.jsonl --queue images
    """
    finish(_publish(tasks, task_type, start_line, skip_invalid, (broker, queue, management)))


async def _publish(
    path: str, task_type: str, start_line: int, skip_invalid: bool, where: tuple[str, str, str | None]
) -> None:
    from warrener.bridge import Bridge
    from warrener.publisher import Position, ensure, publish_all
    from warrener.retry import RetryPolicy, delay_schedule
    from warrener.sources import read

    address = Address(*where)
    position = Position(start_line)
    skipped = 0

    def on_invalid(sentence: str) -> None:
        nonlocal skipped
        skipped += 1
        say(f"warrener: left out: {sentence}")

    def lines() -> Iterator[Task]:
        found = read(
            path, task_type=task_type, start_line=start_line, on_invalid=on_invalid if skip_invalid else None
        )
        for number, task in found:
            position.note(number)
            yield task

    start = time.monotonic()
    async with connected(address) as open_broker:
        await ensure(open_broker, delay_schedule([RetryPolicy()]))
        session = open_broker.publish_session()
        try:
            with Progress("publishing") as progress:

                def show(_: int = 0) -> None:
                    confirmed = session.confirmed
                    position.confirm(confirmed)
                    text = f"{confirmed:,} confirmed, {rate(confirmed / (time.monotonic() - start))}"
                    progress.show(text, 0, None, open_broker.blocked_reason)

                ticking = asyncio.create_task(_tick(show))
                try:
                    await publish_all(session, Bridge(lines()).start(), show)
                finally:
                    ticking.cancel()
        except BaseException as error:
            position.confirm(session.confirmed)
            are = "task is" if session.confirmed == 1 else "tasks are"
            words = ["warrener", "publish", path, *(["--type", task_type] if task_type else [])]
            words += ["--skip-invalid"] if skip_invalid else []
            say(
                f"{session.confirmed:,} {are} confirmed; go on with: "
                f"{shlex.join(words)} --start-line {position.resume_line}{address.flags()}"
            )
            if isinstance(error, asyncio.CancelledError):
                raise failed("interrupted", EXIT_INTERRUPTED) from None
            raise
        left_out = f", {counted(skipped, 'invalid line')} left out" if skipped else ""
        say(
            f"{counted(session.confirmed, 'task')} published to {address.queue!r} on {address.shown}{left_out}"
        )


async def _tick(show: object) -> None:
    while True:
        await asyncio.sleep(0.5)
        if callable(show):
            show()
