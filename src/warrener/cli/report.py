"""`warrener report`: what has happened on a queue, as one file of HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from warrener.cli.connection import connected
from warrener.cli.ending import finish, guarded
from warrener.cli.files import check_apart
from warrener.cli.options import looks_at
from warrener.cli.printing import say
from warrener.cli.progress import Progress

if TYPE_CHECKING:
    from warrener.address import Address
    from warrener.brokers import Broker

report_option: Final = click.option(
    "--report",
    "report_file",
    metavar="FILE",
    help="Write a report there at the end, as `warrener report` does.",
)


@click.command()
@click.option("--output", "-o", metavar="FILE", default="report.html", help="Where it goes; - for stdout.")
@looks_at
def report(output: str, address: Address) -> None:
    """Write one file that shows what has happened: when tasks ended, how long they took, what failed, which were slowest.

    It opens in any browser, without a network, and has no script: mail it. Reading uses nothing up; while tasks run, it is of this moment.

    Example: warrener report -o report.html --queue images
    """
    with guarded():
        check_report(output)
    finish(write_report(address, output))


def check_report(report_file: str | None, *others: str) -> None:
    """See, before anything is done, that a report would take the place of no other file.

    Raises:
        UsageError: It would, or may, or its directory is missing.
    """
    from pathlib import Path

    from warrener.errors import UsageError
    from warrener.writers.formats import PROGRAMS

    if report_file is None:
        return
    if Path(report_file).suffix.lower()[1:] in PROGRAMS:
        raise UsageError(
            f"{report_file} cannot be written: it is named as a program is; name a file that ends in .html"
        )
    for other in others:
        check_apart(report_file, other, "the report would take its place")
    if not Path(report_file).resolve().parent.is_dir():
        raise UsageError(f"{report_file} cannot be written: there is no directory {Path(report_file).parent}")


async def write_report(address: Address, output: str) -> None:
    """Read all rows and failures of a queue, and write its report.

    Raises:
        UsageError: The file cannot be written.
        BrokerError: The queue cannot be read.
    """
    async with connected(address) as broker:
        await report_on(broker, address.queue, address.shown, output)


async def report_on(broker: Broker, queue: str, place: str, output: str) -> None:
    """Read all rows and failures of a queue whose broker is open, and write its report.

    Args:
        broker: The queue's.
        queue: What the report calls it.
        place: Where the report says that it is.
        output: The file; `-` for stdout.

    Raises:
        UsageError: The file cannot be written.
        BrokerError: The queue cannot be read.
    """
    from warrener.cli.history_reading import history_of
    from warrener.monitor import watching
    from warrener.report import Subject, render
    from warrener.version import VERSION
    from warrener.writers import opened

    with opened(output, "jsonl") as writer:
        async with watching(broker) as monitor:
            with Progress("report") as progress:
                history = await history_of(broker, progress)
            status = await monitor.look()
            page = render(Subject(queue, place, VERSION), status, history, monitor.journal)
        writer.write([page.rstrip(b"\n")])
    say(f"report: {output}")
