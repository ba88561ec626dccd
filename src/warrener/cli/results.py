"""`warrener results`: collect the results so far, or follow them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from warrener.cli.connection import connected
from warrener.cli.ending import finish
from warrener.cli.files import ResultFile
from warrener.cli.options import looks_at, output_option, result_format_option
from warrener.cli.printing import say
from warrener.exit_codes import Exit

if TYPE_CHECKING:
    from warrener.address import Address


@click.command()
@output_option("-")
@result_format_option
@click.option("--follow", is_flag=True, help="Wait for more until every task has ended.")
@looks_at
def results(output: str, form: str | None, follow: bool, address: Address) -> None:
    """Write one row per completed task. Reading uses nothing up; do it as often as you like.

    Example: warrener results -o results.csv --queue images
    """
    raise click.exceptions.Exit(finish(_results(address, ResultFile(output, form), follow)))


async def _results(address: Address, file: ResultFile, follow: bool) -> int:
    from warrener.collector import collect
    from warrener.writers import opened

    with opened(file.path, file.checked()) as writer:
        async with connected(address) as open_broker:
            summary = await collect(open_broker, writer, follow=follow)
    say(str(summary))
    if summary.unpublished:
        say(summary.unpublished)
    has_failed = summary.failed or summary.cancelled or summary.missing or summary.unpublished
    return Exit.FAILED if has_failed else Exit.OK
