"""`warrener doctor`: what is right and wrong with a broker and a queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from warrener.cli.connection import connected
from warrener.cli.ending import finish
from warrener.cli.options import looks_at
from warrener.exit_codes import Exit
from warrener.text import plain

if TYPE_CHECKING:
    from warrener.address import Address


@click.command()
@looks_at
def doctor(address: Address) -> None:
    """Say whether the broker answers, what it lacks, whether the queue is as wanted, and who consumes.

    Example: warrener doctor --queue images
    """

    async def main() -> bool:
        async with connected(address) as open_broker:
            findings = await open_broker.inspect()
        for finding in findings:
            click.echo(plain(f"{'ok   ' if finding.ok else 'WRONG'} {finding.text}"))
        return all(finding.ok for finding in findings)

    raise click.exceptions.Exit(Exit.OK if finish(main()) else Exit.FAILED)
