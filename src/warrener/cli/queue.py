"""`warrener setup`, `purge` and `delete`: the queue itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from warrener.address import DEFAULT_QUEUE, EMBEDDED, Address
from warrener.cli.connection import connected
from warrener.cli.options import BrokerOption, ManagementOption, QueueOption
from warrener.cli.printing import finish, plain, say
from warrener.errors import UsageError

_Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def setup(
    app: Annotated[
        str, typer.Argument(help="The app whose retry delays the queue must have; by default 1, 2 and 4 s.")
    ] = "",
    users: Annotated[
        Optional[str],  # noqa: UP045 - typer reads this form on every Python
        typer.Option(
            "--users",
            metavar="DIR",
            help="On RabbitMQ, as an administrator: create users, too, each with the rights of its part. DIR has for each "
            "of setup, producer, worker, collector and watcher a directory with files username, password and vhost.",
        ),
    ] = None,
    broker: BrokerOption = EMBEDDED,
    queue: QueueOption = DEFAULT_QUEUE,
    management: ManagementOption = None,
) -> None:
    """Create whatever is missing of a queue; harmless when all is there.

    Example: warrener setup app.py --queue images
    """

    async def main() -> None:
        from warrener.brokers.rabbitmq.access import admit
        from warrener.retry import RetryPolicy, delay_schedule
        from warrener.worker import describe

        delays = delay_schedule((await describe(app)).policies if app else [RetryPolicy()])
        address = Address(broker, queue, management)
        if users:
            known, vhost = read_users(users)
            address = address.on(vhost)
            await admit(address, known)
        async with connected(address) as open_broker:
            await open_broker.declare(delays)
        shown = ", ".join(f"{delay / 1000:g}" for delay in delays)
        say(f"queue {address.queue!r} on {address.shown} is set up, with delays of {shown} s")

    finish(main())


def read_users(directory: str) -> tuple[dict[str, tuple[str, str]], str]:
    """Names and passwords by part, and the virtual host, from a directory of files as Kubernetes mounts them.

    Raises:
        UsageError: A file cannot be read, or the virtual hosts differ.
    """
    from warrener.brokers.rabbitmq.access import PARTS

    def read(part: str, file: str) -> str:
        try:
            return Path(directory, part, file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(f"--users {directory}: {part}/{file} cannot be read: {reason}") from error

    hosts = {read(part, "vhost") for part in PARTS}
    if len(hosts) > 1:
        raise UsageError(
            f"--users {directory}: the users are for different virtual hosts: {', '.join(sorted(hosts))}"
        )
    return {part: (read(part, "username"), read(part, "password")) for part in PARTS}, hosts.pop()


def purge(
    yes: _Yes = False,
    broker: BrokerOption = EMBEDDED,
    queue: QueueOption = DEFAULT_QUEUE,
    management: ManagementOption = None,
) -> None:
    """Drop all tasks that wait, all results and all failures; the queue stays.

    Example: warrener purge --queue images --yes
    """
    address = _asked(broker, queue, management, "Drop all waiting tasks, results and failures", yes)

    async def main() -> None:
        async with connected(address) as open_broker:
            count = await open_broker.purge()
        say(f"{count:,} tasks, results and failures dropped from {address.queue!r}")

    finish(main())


def delete(
    yes: _Yes = False,
    broker: BrokerOption = EMBEDDED,
    queue: QueueOption = DEFAULT_QUEUE,
    management: ManagementOption = None,
) -> None:
    """Remove a queue with everything in it.

    Example: warrener delete --queue images --yes
    """
    address = _asked(broker, queue, management, "Remove the queue with its tasks, results and failures", yes)

    async def main() -> None:
        async with connected(address) as open_broker:
            await open_broker.delete()
        say(f"there is no queue {address.queue!r} on {address.shown} any more")

    finish(main())


def _asked(broker: str, queue: str, management: str | None, question: str, yes: bool) -> Address:
    from warrener.cli.printing import guarded

    with guarded():
        address = Address(broker, queue, management)
    if not yes:
        typer.confirm(plain(f"{question} ({address.queue!r} on {address.shown})?"), abort=True, err=True)
    return address
