"""`warrener results`: collect the results so far, or follow them."""

from __future__ import annotations

from typing import Annotated

import typer

from warrener.address import DEFAULT_QUEUE, EMBEDDED, Address
from warrener.cli.connection import connected
from warrener.cli.options import BrokerOption, ManagementOption, QueueOption
from warrener.cli.printing import EXIT_FAILED, finish, guarded, say


def results(
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="Where to; - for stdout.")
    ] = "-",
    form: Annotated[
        str | None, typer.Option("--format", metavar="jsonl|json|csv", help="By default as FILE ends.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Wait for more until every task has ended.")
    ] = False,
    broker: BrokerOption = EMBEDDED,
    queue: QueueOption = DEFAULT_QUEUE,
    management: ManagementOption = None,
) -> None:
    """Write one row per completed task. Reading uses nothing up; do it as often as you like.

    Example: warrener results -o results.csv --queue images
    """
    with guarded():
        address = Address(broker, queue, management)
    raise typer.Exit(finish(_results(address, output, form, follow)))


async def _results(address: Address, output: str, form: str | None, follow: bool) -> int:
    from warrener.collector import collect
    from warrener.writers import checked_format, opened

    with opened(output, checked_format(output, form)) as target:
        async with connected(address) as open_broker:
            summary = await collect(open_broker, target, follow=follow)
    say(str(summary))
    return EXIT_FAILED if summary.failed or summary.missing else 0
