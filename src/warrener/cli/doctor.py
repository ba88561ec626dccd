"""`warrener doctor`: what is right and wrong with a broker and a queue."""

from __future__ import annotations

import typer

from warrener.address import DEFAULT_QUEUE, EMBEDDED, Address
from warrener.cli.connection import connected
from warrener.cli.options import BrokerOption, ManagementOption, QueueOption
from warrener.cli.printing import EXIT_FAILED, finish, plain


def doctor(
    broker: BrokerOption = EMBEDDED,
    queue: QueueOption = DEFAULT_QUEUE,
    management: ManagementOption = None,
) -> None:
    """Say whether the broker answers, what it lacks, whether the queue is as wanted, and who consumes.

    Example: warrener doctor --queue images
    """

    async def main() -> bool:
        async with connected(Address(broker, queue, management)) as open_broker:
            findings = await open_broker.inspect()
        for finding in findings:
            typer.echo(plain(f"{'ok   ' if finding.ok else 'WRONG'} {finding.text}"))
        return all(finding.ok for finding in findings)

    raise typer.Exit(0 if finish(main()) else EXIT_FAILED)
