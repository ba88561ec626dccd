"""Options that several verbs share."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

BrokerOption = Annotated[
    str,
    typer.Option(
        "--broker",
        metavar="URL",
        envvar="WARRENER_BROKER",
        show_envvar=True,
        help="amqp://USER:PASSWORD@HOST:PORT/VHOST, amqps://..., k8s:NAMESPACE, sqlite:PATH, or 'embedded': the file .warrener/QUEUE.db. "
        "Better set in the environment, or as file:PATH of a file that holds it, than here, where others can see the password.",
    ),
]
QueueOption = Annotated[
    str,
    typer.Option(
        "--queue", metavar="NAME", envvar="WARRENER_QUEUE", show_envvar=True, help="The queue's name."
    ),
]
ManagementOption = Annotated[
    Optional[str],  # noqa: UP045 - typer reads this form on every Python
    typer.Option(
        "--management",
        metavar="URL",
        envvar="WARRENER_MANAGEMENT",
        show_envvar=True,
        help="Base URL of RabbitMQ's management API; by default port 15672 of the broker's host.",
    ),
]
ProcessesOption = Annotated[
    Optional[int],  # noqa: UP045 - likewise
    typer.Option("--processes", min=1, metavar="N", help="Child processes; by default one per CPU."),
]
ThreadsOption = Annotated[
    int,
    typer.Option("--threads", min=1, metavar="N", help="Tasks at a time in each child, for plain handlers."),
]
ConcurrencyOption = Annotated[
    int,
    typer.Option(
        "--concurrency",
        min=1,
        metavar="N",
        help="Tasks at a time in each child, for apps with async handlers.",
    ),
]
