"""Options that several verbs share, each of them declared once."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

import click

from warrener.address import (
    BROKER_VARIABLE,
    DEFAULT_QUEUE,
    EMBEDDED,
    MANAGEMENT_VARIABLE,
    QUEUE_VARIABLE,
    Address,
)
from warrener.cli.ending import guarded

if TYPE_CHECKING:
    from collections.abc import Callable

AT_LEAST_ONE: Final = click.IntRange(min=1)

broker_option: Final = click.option(
    "--broker",
    metavar="URL",
    default=EMBEDDED,
    envvar=BROKER_VARIABLE,
    show_envvar=True,
    help="amqp://USER:PASSWORD@HOST:PORT/VHOST, amqps://..., k8s:NAMESPACE, sqlite:PATH, or 'embedded': the file .warrener/QUEUE.db. "
    "Better set in the environment, or as file:PATH of a file that holds it, than here, where others can see the password.",
)
queue_option: Final = click.option(
    "--queue",
    metavar="NAME",
    default=DEFAULT_QUEUE,
    envvar=QUEUE_VARIABLE,
    show_envvar=True,
    help="The queue's name.",
)


def queue_option_for(default: str) -> Callable[..., Any]:
    """A queue that is found where it is not named; the default says how."""
    return click.option(
        "--queue",
        metavar="NAME",
        envvar=QUEUE_VARIABLE,
        show_envvar=True,
        show_default=default,
        help="The queue's name.",
    )


management_option: Final = click.option(
    "--management",
    metavar="URL",
    envvar=MANAGEMENT_VARIABLE,
    show_envvar=True,
    help="Base URL of RabbitMQ's management API; by default port 15672 of the broker's host.",
)
processes_option: Final = click.option(
    "--processes", type=AT_LEAST_ONE, metavar="N", help="Child processes; by default one per CPU."
)
threads_option: Final = click.option(
    "--threads",
    type=AT_LEAST_ONE,
    metavar="N",
    default=1,
    help="Tasks at a time in each child, for plain handlers.",
)
concurrency_option: Final = click.option(
    "--concurrency",
    type=AT_LEAST_ONE,
    metavar="N",
    default=32,
    help="Tasks at a time in each child, for apps with async handlers.",
)
keep_logs_option: Final = click.option(
    "--keep-logs", is_flag=True, help="Keep what every task prints, the newest of it, for `warrener logs`."
)
result_format_option: Final = click.option(
    "--format", "form", metavar="FORMAT", help="jsonl, json, csv or parquet; by default as FILE ends."
)
json_option: Final = click.option("--json", "as_json", is_flag=True, help="JSON objects, one on a line.")
yes_option: Final = click.option("--yes", is_flag=True, help="Do not ask.")


def output_option(default: str) -> Callable[..., Any]:
    """Where results go."""
    return click.option(
        "--output", "-o", metavar="FILE", default=default, help="Where results go; - for stdout."
    )


def takes_address(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the options that name a queue; it gets their `Address` as `address`."""

    @broker_option
    @queue_option
    @management_option
    @functools.wraps(verb)
    def command(*, broker: str, queue: str, management: str | None, **given: Any) -> Any:
        with guarded():
            address = Address(broker, queue, management)
        return verb(address=address, **given)

    decorated: Callable[..., Any] = command
    return decorated


def looks_at(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb that only looks the options that name a queue; without a name it gets the one that there is."""
    return _finds_queue(verb, "the only one; of several the newest in .warrener, on RabbitMQ work-queue")


def changes(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb that changes what is there the same options; without a name it gets none of several on a RabbitMQ."""
    return _finds_queue(verb, "the only one, or the newest in .warrener", for_change=True)


def _finds_queue(verb: Callable[..., Any], default: str, *, for_change: bool = False) -> Callable[..., Any]:
    @broker_option
    @queue_option_for(default)
    @management_option
    @functools.wraps(verb)
    def command(*, broker: str, queue: str | None, management: str | None, **given: Any) -> Any:
        from warrener.cli.finding import found

        with guarded():
            address = (
                Address(broker, queue, management)
                if queue
                else found(Address(broker, management=management), for_change=for_change)
            )
        return verb(address=address, **given)

    decorated: Callable[..., Any] = command
    return decorated
