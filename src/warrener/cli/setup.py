"""`warrener setup`: the queue, and the users of its parts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from warrener.cli.connection import connected
from warrener.cli.ending import failed, finish
from warrener.cli.options import keep_logs_option, takes_address
from warrener.cli.printing import say
from warrener.errors import UsageError
from warrener.exit_codes import Exit

if TYPE_CHECKING:
    from warrener.address import Address


@click.command()
@click.argument("app", default="")
@click.option(
    "--users",
    metavar="DIR",
    help="On RabbitMQ, as an administrator: create users, too, each with the rights of its part. DIR has for each "
    "of setup, producer, worker, collector, operator and watcher a directory with files username, password and vhost.",
)
@click.option(
    "--retries",
    type=click.IntRange(min=0, max=20),
    metavar="N",
    help="Without APP: as `warrener work --exec` is given it; by default 3.",
)
@keep_logs_option
@takes_address
def setup(app: str, users: str | None, retries: int | None, keep_logs: bool, address: Address) -> None:
    """Create whatever is missing of a queue; harmless when all is there.

    The queue gets the retry delays that APP needs, or without one those of --retries (1, 2 and 4 s), and those that every
    queue has for `TransientError(after=...)`: 10 and 30 s, 1, 5, 15 and 60 min.

    Example: warrener setup app.py --queue images
    """
    if app and retries is not None:
        raise failed("--retries is for commands; an app's handlers have their own", Exit.USAGE)
    finish(_setup(app, users, retries, address, keep_logs=keep_logs))


async def _setup(
    app: str, users: str | None, retries: int | None, address: Address, *, keep_logs: bool
) -> None:
    from warrener.brokers.rabbitmq.access import admit
    from warrener.retry import RetryPolicy, delay_schedule
    from warrener.worker import describe

    command = RetryPolicy() if retries is None else RetryPolicy(retries)
    delays = delay_schedule((await describe(app)).policies if app else [command])
    if users:
        known, vhost = read_users(users)
        address = address.on(vhost)
        await admit(address, known)
    async with connected(address) as open_broker:
        await open_broker.declare(delays)
        if keep_logs:
            await open_broker.keep_output()
    shown = ", ".join(f"{delay / 1000:g}" for delay in delays)
    say(f"queue {address.queue!r} on {address.shown} is set up, with delays of {shown} s")


def read_users(directory: str) -> tuple[dict[str, tuple[str, str]], str]:
    """Names and passwords by part, and the virtual host, from a directory of files as Kubernetes mounts them.

    Raises:
        UsageError: A file cannot be read, or the virtual hosts differ.
    """
    from warrener.brokers.rabbitmq.access import ROLES

    def read(part: str, file: str) -> str:
        try:
            return Path(directory, part, file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(f"--users {directory}: {part}/{file} cannot be read: {reason}") from error

    hosts = {read(part, "vhost") for part in ROLES}
    if len(hosts) > 1:
        raise UsageError(
            f"--users {directory}: the users are for different virtual hosts: {', '.join(sorted(hosts))}"
        )
    return {part: (read(part, "username"), read(part, "password")) for part in ROLES}, hosts.pop()
